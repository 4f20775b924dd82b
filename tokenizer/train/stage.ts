import { copyFile, writeFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { explainSystemError, GarnerError } from '../../core/errors.ts';
import { sha256 } from '../../core/hash.ts';
import { fileList } from '../../core/lake/duckdb.ts';
import { queryBatches, queryRows, readTable } from '../../core/lake/parquet.ts';
import { column, snapshot } from '../../core/records/index.ts';
import { defineStage, filesIn, only, type Inputs } from '../../core/stage/index.ts';
import { loadTokenizer, readVocabulary, writeTokenizerJson, type SplitName } from '../encode/index.ts';
import type { TokenizerRecipe } from '../recipe.ts';
import { forgetfulNotice, trainTokenizer } from './index.ts';

interface Params {
  vocabulary: number;
  split: SplitName;
  sampleBytes: number | null;
  /** A tokenizer to take as it is: its content names it, its path does not. */
  file: { path: string; sha256: string } | null;
}

/** The train text of a snapshot → a tokenizer.json, or the one that the recipe names. */
export default defineStage<{ tokenizer?: TokenizerRecipe }, Params>({
  name: 'tokenizer',
  version: 1,
  module: 'tokenizer/train/stage',
  inputs: ['mix'],
  params: ({ tokenizer: t }) =>
    t === undefined
      ? null
      : {
          vocabulary: t.vocabulary,
          split: t.split,
          sampleBytes: t.sample_bytes ?? null,
          file: t.file === undefined ? null : { path: t.file, sha256: digest(t.file) },
        },
  units: ({ file, ...training }) => [
    { name: 'tokenizer', version: 1, params: file ? { file: file.sha256 } : training },
  ],
  tasks: () => [{ id: 'tokenizer', input: null }],
  async run(_task, { vocabulary, split, sampleBytes, file }, context) {
    const target = context.file('tokenizers', 'tokenizer.json');
    if (file) {
      if (readVocabulary(file.path).endOfText < 0)
        throw new GarnerError({
          what: 'this tokenizer has no token that ends a document',
          where: file.path,
          hint: 'add a special token <|endoftext|> to it',
          fault: 2,
        });
      await copyFile(file.path, target);
      context.facts(factsOf(target));
      return { vocabulary: loadTokenizer(target).vocabularySize };
    }
    const files = trainFiles(context.lake, context.inputs);
    const { last, bytes } = await sampleOf(files, sampleBytes);
    const trained = await trainTokenizer(textsOf(files, last), {
      split,
      vocabulary,
      progress: (phase, done) =>
        phase === 'counting'
          ? context.progress(done, 2 * bytes, 'counting words')
          : context.progress(bytes + (bytes * done) / (vocabulary - 255), 2 * bytes, 'merging'),
    });
    const merges = trained.counts.length;
    const forgetful = forgetfulNotice(trained.figures);
    if (forgetful) context.notice(`tokenizer: ${forgetful}`);
    if (trained.engine === 'typescript') context.notice('tokenizer: no C compiler, training in TypeScript');
    if (merges < vocabulary - 256)
      context.notice(`tokenizer: the text has pairs for ${merges} merges only, not ${vocabulary - 256}`);
    await writeFile(target, writeTokenizerJson(trained.vocabulary));
    context.facts({ ...factsOf(target), bytes: trained.figures.bytes });
    return { merges, bytes: trained.figures.bytes, tokens: trained.figures.tokens };
  },
});

function digest(path: string): string {
  try {
    return sha256(readFileSync(path));
  } catch (error) {
    throw explainSystemError(error, path);
  }
}

function factsOf(path: string): Record<string, unknown> {
  const { vocabularySize, split, specialTokens, endOfText } = loadTokenizer(path);
  return { vocabulary: vocabularySize, split, specialTokens, endOfText, sha256: digest(path) };
}

const trainFiles = (lake: string, inputs: Inputs): string[] =>
  filesIn(only(inputs, 'mix'), 'snapshots')
    .filter((f) => /^train.*\.parquet$/.test(basename(f.path)))
    .map((f) => join(lake, f.path));

/** Which documents are trained on: those with ids up to `last` (null: all), and their bytes, repeats counted. */
async function sampleOf(files: string[], most: number | null): Promise<{ last: string | null; bytes: number }> {
  if (files.length === 0) return { last: null, bytes: 0 };
  if (most === null) {
    const sum = `SELECT coalesce(sum(strlen(text) * repeats), 0)::BIGINT AS bytes FROM read_parquet(${fileList(files)})`;
    return { last: null, bytes: (await queryRows(sum))[0]!['bytes'] as number };
  }
  const sql = `SELECT id, strlen(text) * repeats AS bytes FROM read_parquet(${fileList(files)}) ORDER BY id`;
  let last = '';
  let bytes = 0;
  for await (const rows of queryBatches(sql, ['id', 'bytes'], [column('text', 'document'), column('int', 'bytes')])) {
    for (const row of rows as { id: string; bytes: number }[]) {
      if (bytes + row.bytes > most && bytes > 0) return { last, bytes };
      last = row.id;
      bytes += row.bytes;
    }
  }
  return { last: null, bytes };
}

async function* textsOf(files: string[], last: string | null): AsyncGenerator<Uint8Array> {
  const clause = last === null ? '' : `WHERE id <= '${last.replaceAll("'", "''")}'`;
  for await (const rows of readTable(files, snapshot, { columns: ['text', 'repeats'], clause })) {
    for (const { text, repeats } of rows) {
      const utf8 = Buffer.from(text);
      for (let i = 0; i < repeats; i++) yield utf8;
    }
  }
}
