import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openTokens } from '../../../cli/export-tokens.ts';
import { sha256File } from '../../../core/hash.ts';
import { queryRows } from '../../../core/lake/parquet.ts';
import { exportSnapshot, needsTokens, type ExportManifest } from '../../../datasets/export/export.ts';
import type { FormatName } from '../../../datasets/export/formats.ts';
import { findSnapshot, snapshotFiles } from '../../../datasets/export/snapshot.ts';
import { SPLITS, type Split } from '../../../datasets/export/types.ts';
import { fileList, quote } from '../../../core/lake/duckdb.ts';
import { loadTokenizer, type Tokenizer } from '../../../tokenizer/encode/index.ts';
import { exportableLake, python, readBack, temporaryFolder, tokenizerOf } from './lake.ts';

let lake: string;
/** Texts of each split as an epoch shows them, read by DuckDB and not by the code under test. */
let shown: Record<Split, { id: string; text: string }[]>;
let tokenizer: Tokenizer;
/** Tokens of each document, by the encoder in TypeScript. */
let tokens: Record<Split, number[][]>;

beforeAll(async () => {
  lake = await exportableLake();
  tokenizer = loadTokenizer(tokenizerOf(lake), { engine: 'typescript' });
  const rows = async (split: Split) => {
    const found = await queryRows(
      `SELECT id, text, repeats FROM read_parquet(${fileList(snapshotFiles(findSnapshot(lake, 'slice'), split))})`,
    );
    return found.flatMap(({ id, text, repeats }) =>
      Array.from({ length: repeats as number }, () => ({ id: id as string, text: text as string })),
    );
  };
  shown = { train: await rows('train'), validation: await rows('validation') };
  const encoded = (split: Split) => shown[split].map(({ text }) => Array.from(tokenizer.encode(text)));
  tokens = { train: encoded('train'), validation: encoded('validation') };
});
afterAll(() => rmSync(lake, { recursive: true, force: true }));

interface Options {
  sequence?: number;
  compression?: 'zstd' | 'none';
  shardTokens?: number;
  shardBytes?: number;
  tokenizer?: string;
  threads?: number;
  out?: string;
}

async function exported(format: FormatName, options: Options = {}): Promise<{ out: string; manifest: ExportManifest }> {
  const { sequence = null, compression = 'none', threads = 0, ...rest } = options;
  const out = options.out ?? join(temporaryFolder(), 'out');
  const snapshot = findSnapshot(lake, 'slice');
  const source = needsTokens(format, sequence)
    ? await openTokens(snapshot, { tokenizer: options.tokenizer, threads, notice: () => {} })
    : null;
  try {
    const { manifest } = await exportSnapshot({
      snapshot,
      format,
      sequence,
      compression,
      progress: () => {},
      ...rest,
      out,
      tokens: source,
    });
    return { out, manifest };
  } finally {
    await source?.close();
  }
}

/** Documents in a row with their end token before or after each. */
const inARow = (documents: readonly number[][], place: 'before' | 'after', end = tokenizer.endOfText): number[] =>
  documents.flatMap((d) => (place === 'before' ? [end, ...d] : [...d, end]));

test('the data has what makes formats fail: empty, Chinese and repeated documents, one longer than a shard', () => {
  const all = [...shown.train, ...shown.validation];
  expect(all.filter((d) => d.text === '').length).toBeGreaterThan(5);
  expect(all.filter((d) => d.text.includes('港口')).length).toBeGreaterThan(20);
  expect(shown.train.filter((d) => d.id === 'one' || d.id === 'two').length).toBeGreaterThanOrEqual(2);
  expect(Math.max(...[...tokens.train, ...tokens.validation].map((d) => d.length))).toBeGreaterThan(2500);
  expect(shown.validation.length).toBeGreaterThan(20);
});

/** A tokenizer.json whose end token has an id beyond 65,535, so that tokens take four bytes. */
function wideTokenizer(): string {
  const path = join(temporaryFolder(), 'tokenizer.json');
  const file = JSON.parse(readFileSync(tokenizerOf(lake), 'utf8')) as {
    added_tokens: { content: string; id: number }[];
  };
  file.added_tokens.find((t) => t.content === '<|endoftext|>')!.id = 70_000;
  writeFileSync(path, JSON.stringify(file));
  return path;
}

describe.skipIf(python === undefined)('read back by an independent program', () => {
  test.each(SPLITS)(
    'megatron, %s: a sequence a document, its end token included, without empty ones',
    async (split) => {
      const { out, manifest } = await exported('megatron');
      const documents = tokens[split].filter((d) => d.length > 0);
      expect(readBack('megatron.py', join(out, `${split}_text_document`))).toEqual(
        documents.map((d) => [...d, tokenizer.endOfText]),
      );
      expect(manifest.splits[split]).toMatchObject({
        documents: tokens[split].length,
        skipped_empty: tokens[split].length - documents.length,
        tokens: inARow(documents, 'after').length,
      });
    },
  );

  test('megatron with a vocabulary beyond 16 bits: int32', async () => {
    const { out, manifest } = await exported('megatron', { tokenizer: wideTokenizer() });
    expect(manifest.tokenizer).toMatchObject({ vocabulary: 70_001, bytes_per_token: 4 });
    const documents = tokens.train.filter((d) => d.length > 0);
    expect(readBack('megatron.py', join(out, 'train_text_document'))).toEqual(documents.map((d) => [...d, 70_000]));
  });

  test.each([
    { why: 'one shard', shardTokens: 1_000_000 },
    { why: 'documents longer than a shard', shardTokens: 1000 },
    { why: 'a shard of odd length', shardTokens: 777 },
    { why: 'shards that end where the split does', shardTokens: 0 },
  ])('llm.c, $why: the end token before each document, shards in a row', async ({ shardTokens }) => {
    for (const [split, name] of [
      ['train', 'train'],
      ['validation', 'val'],
    ] as const) {
      const whole = inARow(tokens[split], 'before');
      const size = shardTokens || whole.length;
      const { out } = await exported('llm.c', { shardTokens: size });
      const files = readBack('llm_c.py', join(out, `slice_${name}_*.bin`)) as number[][];
      expect(files.flat()).toEqual(whole);
      // All are full but the last; what is less than a tenth is no shard of its own.
      expect(files.slice(0, -1).every((f) => f.length === size)).toBe(true);
      expect(files.length === 1 || files.at(-1)!.length >= size / 10).toBe(true);
      expect(files.at(-1)!.length).toBeLessThan(1.1 * size + 1);
    }
  });

  test('llm.c with a vocabulary beyond 16 bits: the header of its Llama 3 files', async () => {
    const { out } = await exported('llm.c', { tokenizer: wideTokenizer() });
    expect((readBack('llm_c.py', join(out, 'slice_val_*.bin')) as number[][]).flat()).toEqual(
      inARow(tokens.validation, 'before', 70_000),
    );
  });

  test.each([
    ['train', 'train.bin'],
    ['validation', 'val.bin'],
  ] as const)('nanogpt, %s', async (split, name) => {
    const { out } = await exported('nanogpt');
    expect(readBack('nanogpt.py', out, name)).toEqual([tokenizer.vocabularySize, inARow(tokens[split], 'after')]);
  });

  test.each([
    { compression: 'none' as const, shardBytes: 1 << 26 },
    { compression: 'zstd' as const, shardBytes: 1 << 26 },
    { compression: 'none' as const, shardBytes: 4000 },
    { compression: 'zstd' as const, shardBytes: 4000 },
  ])('mds, text: $compression, shards of $shardBytes bytes', async (options) => {
    const { out, manifest } = await exported('mds', options);
    for (const split of SPLITS) expect(readBack('mds.py', join(out, split))).toEqual(shown[split]);
    if (options.shardBytes === 4000) expect(manifest.splits.train['shards']).toBeGreaterThan(5);
  });

  test.each([1, 16, 100, 4096])('mds, sequences of %i tokens: what is left over is counted', async (sequence) => {
    const { out, manifest } = await exported('mds', { sequence, shardBytes: 4000 });
    for (const split of SPLITS) {
      const whole = inARow(tokens[split], 'after');
      const samples = Math.floor(whole.length / sequence);
      expect(readBack('mds.py', join(out, split))).toEqual(
        Array.from({ length: samples }, (_, i) => ({ tokens: whole.slice(i * sequence, (i + 1) * sequence) })),
      );
      expect(manifest.splits[split]).toMatchObject({ samples, left_over: whole.length - samples * sequence });
    }
  });
});

describe('tables, read back by DuckDB', () => {
  const texts = (from: string) => queryRows(`SELECT id, text FROM ${from}`);

  test('parquet: a row a document, in order, repeated ones again', async () => {
    const { out } = await exported('parquet', { compression: 'zstd' });
    for (const split of SPLITS)
      expect(await texts(`read_parquet(${quote(join(out, `${split}-*.parquet`))})`)).toEqual(shown[split]);
  });

  test.each(['none', 'zstd'] as const)('jsonl, %s', async (compression) => {
    const { out } = await exported('jsonl', { compression });
    for (const split of SPLITS) {
      const name = `${split}-00000.jsonl${compression === 'zstd' ? '.zst' : ''}`;
      expect(await texts(`read_json(${quote(join(out, name))}, format = 'newline_delimited')`)).toEqual(shown[split]);
      if (compression === 'none')
        expect(
          readFileSync(join(out, name), 'utf8')
            .trimEnd()
            .split('\n')
            .map((line) => JSON.parse(line) as object),
        ).toMatchObject(shown[split]);
    }
  });

  test('nanochat: the last file is validation; enough row groups for 8 ranks', async () => {
    const { out, manifest } = await exported('nanochat', { shardBytes: 6000 });
    const names = manifest.files.map((f) => f.path).toSorted();
    expect(names.length).toBeGreaterThan(3);
    expect(names).toEqual(names.map((_, i) => `shard_${String(i).padStart(5, '0')}.parquet`));
    const read = async (files: string[]) => {
      const rows = await queryRows(`SELECT text FROM read_parquet(${fileList(files.map((f) => join(out, f)))})`);
      return rows.map((r) => r['text']);
    };
    expect(await read(names.slice(0, -1))).toEqual(shown.train.map((d) => d.text));
    expect(await read(names.slice(-1))).toEqual(shown.validation.map((d) => d.text));
    const groups = await queryRows(
      `SELECT count(DISTINCT row_group_id)::INTEGER AS n FROM parquet_metadata(${quote(join(out, names.at(-1)!))})`,
    );
    expect(groups[0]!['n']).toBeGreaterThanOrEqual(8);
  });
});

describe('whatever the way, the same bytes', () => {
  test.each(['megatron', 'llm.c', 'nanogpt'] as const)('%s: token shards, one thread, two threads', async (format) => {
    const [stored, plain, pooled] = [
      await exported(format),
      // Another copy of the file is the same tokenizer; one with a space more is not, and is encoded with.
      await exported(format, { tokenizer: spaced(), threads: 0 }),
      await exported(format, { tokenizer: spaced(), threads: 2 }),
    ];
    const data = (m: ExportManifest) => m.files.filter((f) => f.path !== 'tokenizer.json');
    expect(data(plain.manifest)).toEqual(data(stored.manifest));
    expect(pooled.manifest).toEqual(plain.manifest);
    expect(plain.manifest.tokenizer!.sha256).not.toBe(stored.manifest.tokenizer!.sha256);
  });

  const spaced = () => {
    const path = join(temporaryFolder(), 'tokenizer.json');
    writeFileSync(path, ` ${readFileSync(tokenizerOf(lake), 'utf8')}`);
    return path;
  };

  test('token shards that are damaged are not read: the text is encoded again', async () => {
    const whole = await exported('nanogpt');
    const files = readdirSync(join(lake, 'tokens'), { recursive: true, encoding: 'utf8' }).filter((f) =>
      f.endsWith('.arrow'),
    );
    const path = join(lake, 'tokens', files[0]!);
    const bytes = readFileSync(path);
    try {
      writeFileSync(path, bytes.subarray(0, -8));
      expect((await exported('nanogpt')).manifest).toEqual(whole.manifest);
      // Of the same size, and not what the marker says: one sentence.
      writeFileSync(path, Buffer.alloc(bytes.length, 1));
      const out = join(temporaryFolder(), 'out');
      await expect(exported('nanogpt', { out })).rejects.toThrow(/digest does not fit/);
      expect(readdirSync(dirname(out))).toEqual([]);
    } finally {
      writeFileSync(path, bytes);
    }
  });

  test('export.json names every file with its size and digest, the snapshot and the tokenizer', async () => {
    const { out, manifest } = await exported('llm.c', { shardTokens: 1000 });
    expect(JSON.parse(readFileSync(join(out, 'export.json'), 'utf8'))).toEqual(manifest);
    for (const file of manifest.files) {
      expect([file.path, readFileSync(join(out, file.path)).length]).toEqual([file.path, file.bytes]);
      expect([file.path, await sha256File(join(out, file.path))]).toEqual([file.path, file.sha256]);
    }
    const snapshot = findSnapshot(lake, 'slice');
    expect(manifest).toMatchObject({
      format: 'llm.c',
      snapshot: { name: 'slice', key: snapshot.key, seed: 5 },
      tokenizer: { sha256: await sha256File(tokenizerOf(lake)), vocabulary: tokenizer.vocabularySize },
    });
    expect(await sha256File(join(out, 'tokenizer.json'))).toBe(manifest.tokenizer!.sha256);
  });
});
