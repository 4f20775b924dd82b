import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { duckdb, quote } from '../../../core/lake/duckdb.ts';
import { listFiles, sourceName, typeByName, type InputFile } from '../../../crawlers/archives/files.ts';
import { lineRanges, readJsonl, WHOLE, type LineRange } from '../../../crawlers/archives/jsonl.ts';
import { readParquet, rowRanges } from '../../../crawlers/archives/parquet.ts';
import type { FileRecord } from '../../../crawlers/archives/record.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'garner-ranges-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const COLUMNS = { text: 'text', id: undefined, url: undefined };
const fileOf = (path: string, type: InputFile['type']): InputFile => ({
  path,
  type,
  name: 'f',
  bytes: statSync(path).size,
});

async function collect(records: AsyncIterable<FileRecord>): Promise<FileRecord[]> {
  const all: FileRecord[] = [];
  for await (const r of records) all.push(r);
  return all;
}

test('JSON lines cut into ranges of any size give the records of the whole file, with the same ids and places', async () => {
  const path = join(folder, 'a.jsonl');
  const lines = Array.from({ length: 400 }, (_, i) =>
    i % 7 === 3 ? '{broken' : i % 11 === 5 ? '' : JSON.stringify({ text: `é ${'x'.repeat((i * 37) % 300)} ${i}` }),
  );
  for (const end of ['', '\n', '\r\n']) {
    writeFileSync(path, lines.join('\n') + end);
    const file = fileOf(path, 'jsonl');
    const whole = await collect(readJsonl(file, COLUMNS, 's'));
    expect(whole.length).toBeGreaterThan(350);
    for (const bytes of [1, 100, 5_000, 1e9]) {
      const ranges: LineRange[] = await lineRanges(file, bytes);
      const parts: FileRecord[] = [];
      for (const range of ranges) parts.push(...(await collect(readJsonl(file, COLUMNS, 's', range))));
      expect(parts).toEqual(whole);
      if (bytes === 1e9) expect(ranges).toEqual([WHOLE]);
      if (bytes === 5_000) expect(ranges.length).toBeGreaterThan(5);
    }
  }
});

test('Parquet cut at row groups gives the rows of the whole file', async () => {
  const path = join(folder, 'p.parquet');
  await (
    await duckdb()
  ).run(
    `COPY (SELECT 'text ' || i || repeat('x', 50) AS text, i FROM range(9000) t(i)) TO ${quote(path)} (FORMAT parquet, ROW_GROUP_SIZE 2048)`,
  );
  const file = fileOf(path, 'parquet');
  const whole = await collect(readParquet(file, COLUMNS, 's'));
  const ranges = await rowRanges(file, 1000);
  expect(ranges).toEqual([
    { from: 0, to: 2048 },
    { from: 2048, to: 4096 },
    { from: 4096, to: 6144 },
    { from: 6144, to: 8192 },
    { from: 8192, to: null },
  ]);
  const parts: FileRecord[] = [];
  for (const range of ranges) parts.push(...(await collect(readParquet(file, COLUMNS, 's', range))));
  expect(parts).toEqual(whole);
  expect(await rowRanges(file, 1e9)).toEqual([{ from: 0, to: null }]);
});

test('names say what a file is and what its source is called; patterns reach into folders', () => {
  expect(['a.JSONL.gz', 'b.warc', 'c.htm', 'd.parquet', 'e.txt', 'jsonl', '.html'].map(typeByName)).toEqual([
    'jsonl',
    'warc',
    'html',
    'parquet',
    null,
    null,
    'html',
  ]);
  expect(['a.arc.gz', 'CC-1.warc.wet.gz'].map(typeByName)).toEqual(['warc', 'warc']);
  expect(sourceName({ path: '/x/CC-1.warc.wet.gz', name: undefined })).toBe('CC-1');
  expect(sourceName({ path: '/x/some news.2024.jsonl.gz', name: undefined })).toBe('some-news.2024');
  expect(sourceName({ path: '/x/site/', name: undefined })).toBe('site');
  writeFileSync(join(folder, 'b[1].jsonl'), '{}');
  const found = (pattern: string) => listFiles({ path: join(folder, pattern), text: 'text' }).map((f) => f.name);
  expect(found('*.jsonl')).toEqual(['a.jsonl', 'b[1].jsonl']);
  expect(found('**/p.*')).toEqual(['p.parquet']);
  expect(found('?.jsonl')).toEqual(['a.jsonl']);
  expect(found('b[1].jsonl')).toEqual(['b[1].jsonl']);
});
