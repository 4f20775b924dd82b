import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { tableFromIPC } from 'apache-arrow';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { GarnerError } from '../../../core/errors.ts';
import { openLake } from '../../../core/lake/lake.ts';
import { sha256 } from '../../../core/hash.ts';
import { readMarker, type Output } from '../../../core/stage/marker.ts';
import { readTable, writeTable } from '../../../core/lake/parquet.ts';
import { silent } from '../../../core/progress.ts';
import { snapshot, tokenIndex, type SnapshotDocument, type TokenIndexRow } from '../../../core/records/index.ts';
import { defineStage, filesIn, inProcess, run, type AnyStage } from '../../../core/stage/index.ts';
import { loadTokenizer } from '../../../tokenizer/encode/index.ts';
import { tokenizerRecipe } from '../../../tokenizer/recipe.ts';
import { openShards, shardFiles } from '../../../tokenizer/shards/reader.ts';
import shardsStage from '../../../tokenizer/shards/stage.ts';
import { openTokens, writeShard } from '../../../tokenizer/shards/writer.ts';
import tokenizerStage from '../../../tokenizer/train/stage.ts';

let lake = '';
beforeEach(async () => void (lake = await openLake(mkdtempSync(join(tmpdir(), 'garner-shards-')))));
afterEach(() => rmSync(lake, { recursive: true, force: true }));

const MADE = { source: 'made', url: null, title: null, language: 'en', licence: null };
const document = (id: string, split: string, text: string, repeats = 1): SnapshotDocument => ({
  ...MADE,
  id,
  split,
  text,
  repeats,
});

const FILES: Record<string, SnapshotDocument[]> = {
  'train-00000': [
    document('b', 'train', 'the cat sat on the mat, the cat sat'),
    document('a', 'train', '你好，世界。你好，世界。', 3),
  ],
  'train-00001': [document('c', 'train', ''), document('d', 'train', 'on the mat the cat <|endoftext|> sat', 0)],
  'validation-00000': [document('e', 'validation', 'zzzz zzzz the cat')],
};

/** Stands in for the stage that publishes snapshots. */
const mix = (files: Record<string, SnapshotDocument[]>): AnyStage =>
  defineStage({
    name: 'mix',
    version: 1,
    module: 'none',
    inputs: [],
    params: () => ({ files }),
    tasks: () => [{ id: 'all', input: null }],
    async run(_task, _params, io) {
      for (const [name, rows] of Object.entries(files)) {
        const table = await writeTable(io.file('snapshots', `${name}.parquet`), snapshot);
        for (const row of rows) table.append(row);
        await table.close();
      }
      writeFileSync(io.file('snapshots', 'snapshot.json'), '{}');
      return {};
    },
  });

async function make(tokenizer: object, files = FILES): Promise<Record<string, Output>> {
  const recipe = { name: 'test', tokenizer: tokenizerRecipe.parse(tokenizer) };
  const stages = [mix(files), tokenizerStage, shardsStage];
  const reports = await run({ lake, recipe, stages, executor: inProcess(), progress: silent });
  return Object.fromEntries(reports.map((r) => [r.stage, readMarker(lake, r.stage, r.stage, r.units[0]!.key!)!]));
}

async function index(output: Output): Promise<TokenIndexRow[]> {
  const rows = [];
  for await (const batch of readTable(
    filesIn(output, 'shards').map((f) => join(lake, f.path)),
    tokenIndex,
  ))
    rows.push(...batch);
  return rows;
}

test('documents become tokens that decode to them, each with its end, repeated as the mix says', async () => {
  const { tokenizer: trained, shards } = await make({ vocabulary: 300 });
  const tokenizer = loadTokenizer(join(lake, filesIn(trained, 'tokenizers')[0]!.path));
  expect(trained!.facts).toMatchObject({
    vocabulary: tokenizer.vocabularySize,
    split: 'cl100k',
    endOfText: tokenizer.endOfText,
  });
  const rows = await index(shards!);
  expect(rows.map((r) => [r.document_id, r.split, r.shard, r.bytes])).toEqual([
    ['b', 'train', 'train-00000.arrow', 35],
    ...Array.from({ length: 3 }, () => ['a', 'train', 'train-00000.arrow', 36]),
    ['c', 'train', 'train-00001.arrow', 0],
    ['e', 'validation', 'validation-00000.arrow', 17],
  ]);
  const texts = new Map(
    Object.values(FILES)
      .flat()
      .map((d) => [d.id, d.text]),
  );
  const opened = await openShards([...shardFiles(lake, shards, 'train'), ...shardFiles(lake, shards, 'validation')]);
  for (const row of rows) {
    const { tokens } = opened.shards.find((s) => s.name === row.shard)!;
    const ids = tokens.subarray(row.offset, row.offset + row.length);
    expect(tokenizer.decode(ids)).toBe(`${texts.get(row.document_id)}<|endoftext|>`);
    expect(ids.indexOf(tokenizer.endOfText)).toBe(row.length - 1);
  }
  const total = rows.reduce((n, r) => n + r.length, 0);
  expect(opened).toMatchObject({
    tokens: total,
    documents: 6,
    bytes: 35 + 3 * 36 + 17,
    vocabulary: tokenizer.vocabularySize,
  });
  expect(shards!.counts).toEqual({ documents: 6, tokens: total, bytes: 160 });
  expect(opened.tokenizer).toBe(trained!.facts['sha256']);
});

test('only the train files teach; the same lake gives the same bytes again', async () => {
  const { tokenizer: trained } = await make({ vocabulary: 400 });
  const path = join(lake, filesIn(trained, 'tokenizers')[0]!.path);
  const tokens = JSON.parse(readFileSync(path, 'utf8')) as { model: { vocab: Record<string, number> } };
  expect(Object.keys(tokens.model.vocab)).toContain('Ġcat');
  expect(Object.keys(tokens.model.vocab)).not.toContain('zz');
  const bytes = () =>
    Object.fromEntries(
      readdirSync(lake, { recursive: true, encoding: 'utf8' })
        .filter((f) => /\.(arrow|parquet)$|tokenizer\.json$/.test(f))
        .toSorted()
        .map((f) => [f, readFileSync(join(lake, f)).toString('base64')]),
    );
  const before = bytes();
  rmSync(lake, { recursive: true });
  lake = await openLake(lake);
  await make({ vocabulary: 400 });
  expect(bytes()).toEqual(before);
  expect(Object.keys(before).filter((f) => f.endsWith('.arrow'))).toHaveLength(3);
});

test('sample_bytes takes documents in the order of their ids, whatever file they are in', async () => {
  const files = {
    'train-00000': [document('2', 'train', 'bbbb bbbb'), document('0', 'train', 'cccc cccc')],
    'train-00001': [document('1', 'train', 'dddd dddd'), document('3', 'train', 'eeee eeee')],
  };
  const { tokenizer: trained } = await make({ vocabulary: 280, sample_bytes: 20 }, files);
  expect(trained!.counts['bytes']).toBe(18);
  const text = readFileSync(join(lake, filesIn(trained, 'tokenizers')[0]!.path), 'utf8');
  expect([text.includes('"cccc"'), text.includes('"dddd"'), text.includes('"bb"')]).toEqual([true, true, false]);
});

test('an existing tokenizer is taken as it is, and named by its content', async () => {
  const { tokenizer: trained, shards } = await make({ vocabulary: 300 });
  const copy = join(lake, 'mine.json');
  writeFileSync(copy, readFileSync(join(lake, filesIn(trained, 'tokenizers')[0]!.path)));
  const mine = await make({ file: copy });
  expect(mine['tokenizer']!.facts['sha256']).toBe(trained!.facts['sha256']);
  expect(filesIn(mine['shards'], 'tokens').map((f) => f.sha256)).toEqual(
    filesIn(shards, 'tokens').map((f) => f.sha256),
  );
  writeFileSync(copy, '{"model":{}}');
  await expect(make({ file: copy })).rejects.toThrow(GarnerError);
  await expect(make({ file: join(lake, 'none.json') })).rejects.toThrow('none.json: no such file or folder');
});

test('a shard that does not fit its marker is refused', async () => {
  const { shards } = await make({ vocabulary: 300 });
  const [first] = shardFiles(lake, shards, 'train') as [ReturnType<typeof shardFiles>[number]];
  const whole = readFileSync(first.path);
  const flipped = Buffer.from(whole);
  flipped[whole.length >> 1]! ^= 1;
  writeFileSync(first.path, flipped);
  await expect(openShards([first])).rejects.toThrow('the digest does not fit its marker');
  writeFileSync(first.path, whole.subarray(0, whole.length - 8));
  await expect(openShards([first])).rejects.toThrow(/the file has \d+ bytes, its marker says \d+/);
  rmSync(first.path);
  await expect(openShards([first])).rejects.toThrow('no such file or folder');
});

async function shard(name: string, tokens: Uint16Array | Uint32Array, tokenizer = 't') {
  const path = join(lake, name);
  await writeShard(path, tokens, { tokens: tokens.length, documents: 1, bytes: 9, vocabulary: 70_000, tokenizer });
  const bytes = readFileSync(path);
  return { path, bytes: bytes.length, sha256: sha256(bytes) };
}

test('reading across shards: views inside one, copies over borders, no phantom token of the padding', async () => {
  const all = Uint16Array.from({ length: 1009 }, (_, i) => i * 7);
  const cuts = [0, 3, 3, 500, 1009];
  const files = [];
  for (let i = 0; i + 1 < cuts.length; i++) files.push(await shard(`s${i}.arrow`, all.slice(cuts[i], cuts[i + 1])));
  const shards = await openShards(files);
  expect(shards.tokens).toBe(1009);
  for (const [offset, length] of [
    [0, 3],
    [2, 1],
    [2, 2],
    [0, 1009],
    [499, 2],
    [3, 497],
    [1008, 1],
    [1009, 0],
    [0, 0],
  ] as const)
    expect(Array.from(shards.read(offset, length)), `${offset} ${length}`).toEqual(
      Array.from(all.slice(offset, offset + length)),
    );
  expect(shards.read(500, 9).buffer).toBe(shards.shards[3]!.tokens.buffer);
  expect(() => shards.read(1000, 10)).toThrow('tokens 1000 to 1010 of 1009');
  expect(() => shards.read(-1, 1)).toThrow(RangeError);
  expect((await openShards([])).tokens).toBe(0);
});

test('tokens take 2 bytes up to a vocabulary of 65,536, else 4, and other programs read them as plain Arrow', async () => {
  const small = openTokens(65_536);
  small.append(Uint32Array.of(65_535, 1));
  expect(small.take()).toEqual(Uint16Array.of(65_535, 1));
  const large = openTokens(65_537);
  for (let i = 0; i < 70_000; i += 7) large.append(Uint32Array.from({ length: 7 }, (_, k) => i + k));
  const tokens = large.take();
  expect(tokens).toEqual(Uint32Array.from({ length: 70_000 }, (_, i) => i));
  const file = await shard('large.arrow', tokens);
  const table = tableFromIPC(readFileSync(file.path));
  expect([table.numRows, table.schema.fields.map(String)]).toEqual([70_000, ['tokens: Uint32']]);
  expect((await openShards([file])).read(69_999, 1)).toEqual(Uint32Array.of(69_999));
});

test('shards of two tokenizers do not mix, and another Arrow file is no shard', async () => {
  const one = await shard('one.arrow', Uint16Array.of(1));
  const other = await shard('other.arrow', Uint16Array.of(1), 'u');
  await expect(openShards([one, other])).rejects.toThrow('different tokenizers');
  writeFileSync(one.path, 'ARROW1 but not really');
  await expect(openShards([{ ...one, bytes: 21, sha256: sha256('ARROW1 but not really') }])).rejects.toThrow(
    'this is no token shard',
  );
});
