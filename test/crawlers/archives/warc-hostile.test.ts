import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { afterAll, expect, test } from 'vitest';
import { decodeBody, dechunk, parseHttpHead } from '../../../crawlers/archives/http-message.ts';
import { readCapture, readRecords } from '../../../crawlers/archives/warc.ts';
import { encodeRecord, recordId } from '../../../crawlers/web/warc-writer.ts';
import { sharedData } from '../../shared.ts';

const folder = mkdtempSync(join(tmpdir(), 'garner-hostile-'));
afterAll(() => rmSync(folder, { recursive: true }));
const file = (name: string, data: Buffer) => {
  const path = join(folder, name);
  writeFileSync(path, data);
  return path;
};

const record = (url: string, block: Buffer) =>
  encodeRecord({
    type: 'response',
    id: recordId(url),
    date: 0,
    url,
    contentType: 'application/http; msgtype=response',
    block,
  });
const answer = (body: string | Buffer, ...headers: string[]) =>
  Buffer.concat([
    Buffer.from(`HTTP/1.1 200 OK\r\n${headers.map((h) => `${h}\r\n`).join('')}\r\n`),
    Buffer.from(body as string),
  ]);

async function count(path: string, longest?: number) {
  const found = { records: 0, damage: 0, withoutBlock: 0, bytes: 0 };
  for await (const r of readRecords(path, longest)) {
    if (r.kind === 'damage') found.damage++;
    else {
      found.records++;
      found.bytes += r.block?.length ?? 0;
      if (r.block === null) found.withoutBlock++;
    }
  }
  return found;
}

/** A generator of numbers that is the same each time (mulberry32). */
function random(seed: number): () => number {
  let a = seed;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

test.each([true, false])(
  'cut anywhere, with bytes changed anywhere (gzip: %s): never an exception, and what is whole before is read',
  async (gz) => {
    const records = Array.from({ length: 12 }, (_, i) => {
      const r = record(`http://e.org/${i}`, answer(`body ${i} `.repeat(50)));
      return gz ? gzipSync(r) : r;
    });
    const whole = Buffer.concat(records);
    const next = random(1);
    for (let i = 0; i < 60; i++) {
      const cut = Math.floor(next() * whole.length);
      const complete = records.filter((_, n) => Buffer.concat(records.slice(0, n + 1)).length <= cut).length;
      const found = await count(file(`cut-${gz}`, whole.subarray(0, cut)));
      expect(found.records).toBeGreaterThanOrEqual(complete - 1);
      expect(found.records).toBeLessThanOrEqual(complete + 1);
      const changed = Buffer.from(whole);
      const at = Math.floor(next() * whole.length);
      changed[at] = changed[at]! ^ (1 << Math.floor(next() * 8));
      expect((await count(file(`changed-${gz}`, changed))).records).toBeGreaterThanOrEqual(10);
    }
  },
);

test('records larger than the limit are passed over without being held, plain or packed', async () => {
  const large = record('http://e.org/large', answer(Buffer.alloc(30_000_000)));
  const small = record('http://e.org/small', answer('small'));
  for (const [name, data] of [
    ['plain', Buffer.concat([large, small])],
    ['members', Buffer.concat([gzipSync(large), gzipSync(small)])],
    ['one-member', gzipSync(Buffer.concat([large, small]))],
  ] as const)
    expect(await count(file(name, data), 1_000_000)).toMatchObject({ records: 2, withoutBlock: 1, damage: 0 });
  const path = file('bomb', gzipSync(record('http://e.org/bomb', answer(Buffer.alloc(200_000_000)))));
  expect(await readCapture(path, 0, readFileSync(path).length)).toEqual({ ok: false, reason: 'too_large' });
});

test('a place where no record is, or only half of one', async () => {
  const packed = gzipSync(record('http://e.org/', answer('x')));
  const path = file('places', packed);
  expect(await readCapture(path, 5, packed.length - 5)).toMatchObject({ ok: false });
  expect(await readCapture(path, 0, packed.length - 5)).toEqual({ ok: false, reason: 'damaged' });
  expect(await readCapture(path, 0, packed.length + 5)).toEqual({ ok: false, reason: 'damaged' });
  expect(await readCapture(path, 0, packed.length)).toMatchObject({ ok: true, status: 200 });
  await expect(readCapture(join(folder, 'nowhere'), 0, 10)).rejects.toThrow(/no such file/);
});

const decode = (message: Buffer, limits?: { bytes: number; ratio: number }) =>
  decodeBody(parseHttpHead(message)!, message, limits);
const text = 'some text of a page, '.repeat(100);

test.each([
  ['gzip', gzipSync(text)],
  ['x-gzip', gzipSync(text)],
  ['GZIP', Buffer.concat([gzipSync(text.slice(0, 500)), gzipSync(text.slice(500))])],
  ['deflate', deflateSync(text)],
  ['deflate', deflateRawSync(text)],
  ['br', brotliCompressSync(text)],
  ['gzip, br', brotliCompressSync(gzipSync(text))],
  ['identity', Buffer.from(text)],
  ['gzip', Buffer.from(text)],
  ['br', Buffer.from(text)],
])('Content-Encoding: %s', (coding, body) => {
  const got = decode(answer(body, `Content-Encoding: ${coding}`));
  expect('body' in got && got.body.toString()).toBe(text);
});

test('bodies that are cut, damaged, too large, or packed too well', () => {
  const cut = decode(answer(gzipSync(text).subarray(0, 40), 'Content-Encoding: gzip'));
  expect('body' in cut && text.startsWith(cut.body.toString())).toBe(true);
  const noise = random(2);
  const damaged = gzipSync(Buffer.from(Array.from({ length: 5000 }, () => noise() * 16)));
  damaged.fill(0xff, 100, 400);
  expect(decode(answer(damaged, 'Content-Encoding: gzip'))).toEqual({ reason: 'coding_damaged' });
  const zeros = gzipSync(Buffer.alloc(20_000_000));
  expect(decode(answer(zeros, 'Content-Encoding: gzip'), { bytes: 1e9, ratio: 200 })).toEqual({ reason: 'ratio' });
  expect(decode(answer(zeros, 'Content-Encoding: gzip'), { bytes: 1e6, ratio: 1e6 })).toEqual({ reason: 'size' });
  expect(decode(answer(gzipSync(zeros), 'Content-Encoding: gzip, gzip'))).toEqual({ reason: 'ratio' });
  expect(decode(answer(text), { bytes: 100, ratio: 10 })).toEqual({ reason: 'size' });
  expect(decode(answer('x', 'Content-Encoding: zstd'))).toEqual({ reason: 'unknown_coding' });
  expect(decode(answer('x', 'Content-Encoding: gzip,gzip,gzip,gzip,gzip'))).toEqual({ reason: 'unknown_coding' });
});

test.each([
  ['5\r\nhello\r\n0\r\n\r\n', 'hello', true],
  ['5;a=b\r\nhello\r\n3\r\n, w\r\n0\r\nX-Sum: 1\r\n\r\n', 'hello, w', true],
  ['5\nhello\n0\n\n', 'hello', true],
  ['5\r\nhello\r\n', 'hello', false],
  ['ff\r\nhel', 'hel', false],
  ['5\r\nhello\r\nzz\r\n', 'hello', false],
])('chunks %j', (data, body, complete) =>
  expect(dechunk(Buffer.from(data))).toEqual({ body: Buffer.from(body), complete }),
);

test('what is not chunked is said so', () => {
  expect(dechunk(Buffer.from('<html>\r\n'))).toBeNull();
  expect(dechunk(Buffer.alloc(1_000_000, 48))).toBeNull();
});

const gzipEdges = sharedData('warc/webarchive-commons');
test.skipIf(!gzipEdges)('gzip edge cases of another project are damage or nothing, never an exception', async () => {
  for (const name of ['abcd.gz', 'hi.gz', 'hi-2.gz', 'empty.gz', 'double-single-inflate-error.gz'])
    expect((await count(join(gzipEdges!, name))).records).toBe(0);
});
