import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, expect, test } from 'vitest';
import { GarnerError, nearest } from '../../core/errors.ts';
import { inside, linesOf, plainBytes, readBytes, writeAtomically } from '../../core/files.ts';
import { documentId, keyOf, stableJson } from '../../core/hash.ts';

const folder = mkdtempSync(join(tmpdir(), 'garner-files-'));
afterAll(() => rmSync(folder, { recursive: true }));
const collect = async (source: AsyncIterable<Uint8Array>) => {
  const all: Uint8Array[] = [];
  for await (const chunk of source) all.push(chunk);
  return Buffer.concat(all).toString();
};
async function* chunks(...parts: string[]) {
  for (const part of parts) yield await Promise.resolve(Buffer.from(part));
}
const lines = async (limit: number, ...parts: string[]) => {
  const all = [];
  for await (const line of linesOf(chunks(...parts), limit))
    all.push([line.number, line.offset, line.tooLong ? null : line.text]);
  return all;
};

test('lines are cut across chunks, with their offsets', async () => {
  expect(await lines(100, 'a\nb', 'c\r\n', '\n', 'd')).toEqual([
    [1, 0, 'a'],
    [2, 2, 'bc'],
    [3, 6, ''],
    [4, 7, 'd'],
  ]);
});

test('a character cut between chunks stays whole', async () => {
  const bytes = Buffer.from('话说\n');
  const all = [];
  for await (const line of linesOf(
    (async function* () {
      yield await Promise.resolve(bytes.subarray(0, 4));
      yield bytes.subarray(4);
    })(),
    100,
  ))
    all.push(line.text);
  expect(all).toEqual(['话说']);
});

test('a line over the limit is passed over, and the next one is right', async () => {
  expect(await lines(4, 'abc', 'defgh', 'i\nok\n', 'toolong')).toEqual([
    [1, 0, null],
    [2, 10, 'ok'],
    [3, 13, null],
  ]);
});

test('gzip with several members is read to its end', async () => {
  const path = join(folder, 'two.gz');
  writeFileSync(path, Buffer.concat([gzipSync('one\n'), gzipSync('two\n')]));
  expect(await collect(readBytes(path))).toBe('one\ntwo\n');
});

test.each([
  {
    why: 'truncated gzip',
    make: (p: string) => {
      writeFileSync(p, gzipSync('x'.repeat(100_000) + Math.random()));
      truncateSync(p, 60);
    },
    says: /ends too early/,
  },
  {
    why: 'damaged gzip',
    make: (p: string) =>
      writeFileSync(p, Buffer.concat([gzipSync('hello').subarray(0, 12), Buffer.from('garbage garbage garbage')])),
    says: /damaged|too early/,
  },
  { why: 'no gzip at all', make: (p: string) => writeFileSync(p, 'plain'), says: /damaged/ },
  {
    why: 'a bomb',
    make: (p: string) => writeFileSync(p, gzipSync(Buffer.alloc(30_000_000))),
    says: /more than 1000000 bytes/,
  },
])('$why: a sentence that names the file', async ({ why, make, says }) => {
  const path = join(folder, `${why.replaceAll(' ', '-')}.gz`);
  make(path);
  const error: unknown = await collect(readBytes(path, 1_000_000)).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(GarnerError);
  expect((error as Error).message).toMatch(says);
  expect((error as Error).message).toContain(path);
});

test('standard input is gunzipped where it begins as gzip does, however its first bytes are cut', async () => {
  const packed = gzipSync('one\ntwo\n');
  async function* cut(bytes: Buffer, ...at: number[]) {
    let from = 0;
    for (const to of [...at, bytes.length]) {
      yield await Promise.resolve(bytes.subarray(from, to));
      from = to;
    }
  }
  expect(await collect(plainBytes(cut(packed, 1), 'stdin'))).toBe('one\ntwo\n');
  expect(await collect(plainBytes(cut(packed, 5, 9), 'stdin'))).toBe('one\ntwo\n');
  expect(await collect(plainBytes(cut(Buffer.from('plain'), 1, 3), 'stdin'))).toBe('plain');
  expect(await collect(plainBytes(cut(Buffer.from('')), 'stdin'))).toBe('');
  await expect(collect(plainBytes(cut(packed.subarray(0, 20)), 'stdin'))).rejects.toThrow(
    /stdin: the gzip file ends too early/,
  );
});

test('a missing file and a folder are sentences, with exit code 2', async () => {
  for (const path of [join(folder, 'none'), folder]) {
    const error = (await collect(readBytes(path)).catch((e: unknown) => e)) as GarnerError;
    expect(error).toBeInstanceOf(GarnerError);
    expect(error.fault).toBe(2);
  }
});

test('an atomic write leaves the file and nothing else', async () => {
  await writeAtomically(join(folder, 'sub', 'a.txt'), 'whole');
  expect(readFileSync(join(folder, 'sub', 'a.txt'), 'utf8')).toBe('whole');
  expect(readdirSync(join(folder, 'sub'))).toEqual(['a.txt']);
});

test('no path leaves its folder', () => {
  expect(inside('/a/b', 'c/../d')).toBe('/a/b/d');
  expect(inside('/a/b', '..c')).toBe('/a/b/..c');
  for (const path of ['..', '../x', 'c/../../x', '/etc/passwd'])
    expect(() => inside('/a/b', path), path).toThrow(GarnerError);
});

test('equal values give equal keys, whatever the order of their members', () => {
  expect(stableJson({ b: 1, a: [undefined, { d: null, c: 'é' }], z: undefined })).toBe(
    '{"a":[null,{"c":"é","d":null}],"b":1}',
  );
  expect(keyOf({ a: 1, b: 2 })).toBe(keyOf({ b: 2, a: 1 }));
  expect(keyOf({ a: 1 })).not.toBe(keyOf({ a: '1' }));
  expect(() => stableJson({ a: Number.NaN })).toThrow(/NaN/);
  expect(documentId('a', 'bc')).not.toBe(documentId('ab', 'c'));
  expect(documentId('a', 'b')).toMatch(/^[0-9a-f]{32}$/);
});

test('a guess is near or none', () => {
  expect(nearest('treshold', ['shingle', 'threshold'])).toBe('threshold');
  expect(nearest('foo', ['shingle', 'threshold'])).toBeUndefined();
});
