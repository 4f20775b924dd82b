import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { GarnerError } from '../core/errors.ts';
import { sha256File } from '../core/hash.ts';
import { currentOutputs, recipeManifests } from '../core/lake/lake.ts';
import { readTable } from '../core/lake/parquet.ts';
import { tokenIndex } from '../core/records/index.ts';
import { filesIn, type Output } from '../core/stage/index.ts';
import { damage, readMarker } from '../core/stage/marker.ts';
import type { TokenSource } from '../datasets/export/export.ts';
import { readSnapshot, type Snapshot } from '../datasets/export/snapshot.ts';
import type { ExportDocument, Split } from '../datasets/export/types.ts';
import { loadTokenizer } from '../tokenizer/encode/index.ts';
import { openEncodePool } from '../tokenizer/encode/pool.ts';
import { openShards, shardFiles } from '../tokenizer/shards/reader.ts';

export interface OpenedSource extends TokenSource {
  /** Where the tokens come from, for people. */
  about: string;
  close(): Promise<void>;
}

export interface SourceOptions {
  /** A tokenizer.json; the one of the snapshot's own recipe where it is not given. */
  tokenizer?: string | undefined;
  /** Threads that encode; 0 encodes in this one. */
  threads: number;
  notice: (text: string) => void;
}

/**
 * The tokens of a snapshot: read from the lake's token shards where they were made with the same tokenizer, else encoded
 * now. Throws a GarnerError where there is no tokenizer, or it has no token that ends a document.
 */
export async function openTokens(snapshot: Snapshot, options: SourceOptions): Promise<OpenedSource> {
  const own = ownOutputs(snapshot);
  const file = options.tokenizer ?? ownTokenizer(snapshot, own.tokenizer);
  if (options.tokenizer !== undefined && existsSync(file) && !/^\s*\{/.test(readFileSync(file, 'utf8')))
    throw new GarnerError({
      what: 'a ranks file is no tokenizer.json',
      where: file,
      hint: 'name a tokenizer.json: it goes into the export, for the program that will read it',
      fault: 2,
    });
  const tokenizer = loadTokenizer(file);
  if (tokenizer.endOfText < 0)
    throw new GarnerError({
      what: 'the tokenizer has no token that ends a document',
      where: file,
      hint: 'add one (<|endoftext|>) to its added_tokens',
      fault: 2,
    });
  const facts = {
    file,
    sha256: await sha256File(file),
    vocabulary: tokenizer.vocabularySize,
    endOfText: tokenizer.endOfText,
  };
  if (own.shards && damage(snapshot.lake, own.shards) === null && own.sha256 === facts.sha256) {
    const { lake } = snapshot;
    const shards = own.shards;
    return {
      ...facts,
      about: 'token shards of the lake',
      read: (split) => readShards(lake, shards, split),
      close: () => Promise.resolve(),
    };
  }
  if (tokenizer.engine === 'typescript') options.notice('no C compiler, encoding in TypeScript');
  const pool = options.threads > 0 ? openEncodePool(file, options.threads) : null;
  return {
    ...facts,
    about: `encoded now, ${options.threads} threads`,
    async *read(split) {
      const documents = readSnapshot(snapshot, split);
      if (pool)
        for await (const batch of pool.encode(documents, (d) => d.text))
          yield batch.flatMap(([d, tokens]) => shownAs(d, tokens));
      else for await (const batch of documents) yield batch.flatMap((d) => shownAs(d, tokenizer.encodeBytes(d.text)));
    },
    close: async () => void (await pool?.close()),
  };
}

/** A document as often as an epoch shows it; the tokens are the same array. */
function shownAs(document: ExportDocument & { repeats: number }, tokens: Uint32Array): ExportDocument[] {
  const { id, bytes } = document;
  return Array.from({ length: document.repeats }, () => ({ id, bytes, text: null, tokens }));
}

/** The tokenizer, and the token shards, that were made from a snapshot: those of a recipe that stands for both, else any. */
function ownOutputs(snapshot: Snapshot): { tokenizer?: Output; shards?: Output; sha256?: string } {
  const { lake, key } = snapshot;
  const made = [
    ...recipeManifests(lake).flatMap((m) => currentOutputs(lake, m.name)),
    ...['tokenizer', 'shards'].flatMap((stage) => finished(lake, stage)),
  ].filter((o) => o.inputs.some((i) => i.stage === 'mix' && i.identity === key));
  const tokenizer = made.find((o) => o.stage === 'tokenizer');
  if (!tokenizer) return {};
  const shards = made.find(
    (o) => o.stage === 'shards' && o.inputs.some((i) => i.stage === 'tokenizer' && i.identity === tokenizer.identity),
  );
  const sha256 = tokenizerFile(tokenizer)?.sha256;
  return { tokenizer, ...(shards ? { shards } : {}), ...(sha256 === undefined ? {} : { sha256 }) };
}

function finished(lake: string, stage: string): Output[] {
  const folder = join(lake, 'stages', stage);
  return (existsSync(folder) ? readdirSync(folder).toSorted() : []).flatMap(
    (k) => readMarker(lake, stage, stage, k) ?? [],
  );
}

const tokenizerFile = (output: Output) =>
  filesIn(output, 'tokenizers').find((f) => basename(f.path) === 'tokenizer.json');

function ownTokenizer(snapshot: Snapshot, output: Output | undefined): string {
  const file = output && tokenizerFile(output);
  if (file) return join(snapshot.lake, file.path);
  throw new GarnerError({
    what: `no tokenizer was made from the snapshot "${snapshot.name}"`,
    where: snapshot.lake,
    hint: 'name one with --tokenizer FILE, or add a section "tokenizer" to the recipe and run it',
    fault: 2,
  });
}

/** Documents of a split from token shards, in their order; each is there as often as an epoch shows it. One shard is held at a time. */
async function* readShards(lake: string, output: Output, split: Split): AsyncGenerator<ExportDocument[]> {
  const shards = new Map(shardFiles(lake, output, split).map((f) => [basename(f.path), f]));
  const indexes = filesIn(output, 'shards').filter((f) => basename(f.path).startsWith(`${split}-`));
  let open = { name: '', tokens: null as Awaited<ReturnType<typeof openShards>> | null };
  for (const index of indexes)
    for await (const rows of readTable([join(lake, index.path)], tokenIndex)) {
      const batch: ExportDocument[] = [];
      for (const row of rows) {
        if (row.shard !== open.name) open = { name: row.shard, tokens: await openShards([shards.get(row.shard)!]) };
        // Without the token that ends it.
        const tokens = open.tokens!.read(row.offset, row.length - 1);
        batch.push({ id: row.document_id, bytes: row.bytes, text: null, tokens });
      }
      yield batch;
    }
}
