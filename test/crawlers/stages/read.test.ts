import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { z } from 'zod';
import { duckdb, quote } from '../../../core/lake/duckdb.ts';
import { openLake } from '../../../core/lake/lake.ts';
import { filesSection } from '../../../crawlers/archives/recipe.ts';
import read from '../../../crawlers/stages/read.ts';
import { runStages } from './lake.ts';

let lake = '';
let input = '';
beforeEach(async () => {
  lake = await openLake(mkdtempSync(join(tmpdir(), 'garner-read-')));
  input = mkdtempSync(join(tmpdir(), 'garner-input-'));
});
afterEach(() => {
  for (const folder of [lake, input]) rmSync(folder, { recursive: true, force: true });
});

const readAll = (files: z.input<typeof filesSection>, limit?: number) =>
  runStages(lake, [read], { files: filesSection.parse(files), limit });

const line = (value: unknown) => `${typeof value === 'string' ? value : JSON.stringify(value)}\n`;

test('JSON lines: fields to their columns, the rest to metadata, bad lines to decisions with their place', async () => {
  const lines = [
    line({
      id: 'a',
      text: 'Alpha\nbeta',
      url: 'https://e.org/a',
      title: 'A',
      licence: 'CC0',
      score: 0.5,
      tags: ['x', 'y'],
    }),
    line('{"id": "b", "text": '),
    line(''),
    line({ id: 'c' }),
    line({ text: '  \n ' }),
    line([1]),
    line({ text: 'lone \ud800 surrogate and \u0000 zero' }),
    line({ id: 'a', text: 'the same id again' }),
  ];
  writeFileSync(join(input, 'some news.jsonl'), `\uFEFF${lines.join('').trimEnd()}`);
  const { rows, refused } = await readAll([{ path: join(input, 'some news.jsonl') }]);
  expect(rows.map((r) => [r.source, r.text, r.url, r.title, r.licence, r.metadata, r.location])).toEqual([
    [
      'some-news',
      'Alpha\nbeta',
      'https://e.org/a',
      'A',
      'CC0',
      { id: 'a', score: '0.5', tags: '["x","y"]' },
      'some news.jsonl:1',
    ],
    ['some-news', 'lone \ufffd surrogate and  zero', null, null, null, {}, 'some news.jsonl:7'],
    ['some-news', 'the same id again', null, null, null, { id: 'a' }, 'some news.jsonl:8'],
  ]);
  expect(new Set(rows.map((r) => r.id)).size).toBe(3);
  expect(refused.map((d) => [d.rule, d.verdict, d.evidence?.split(': ')[0]])).toEqual([
    ['not_json', 'drop', 'some news.jsonl:2'],
    ['no_text', 'drop', 'some news.jsonl:4'],
    ['empty', 'drop', 'some news.jsonl:5'],
    ['not_json', 'drop', 'some news.jsonl:6'],
  ]);
});

test('other columns, gzip, and a limit a source', async () => {
  const many = Array.from({ length: 50 }, (_, i) =>
    line({ key: i, content: `text ${i}`, link: `https://e.org/${i}` }),
  ).join('');
  writeFileSync(join(input, 'a.jsonl.gz'), gzipSync(many));
  const source = { path: join(input, 'a.jsonl.gz'), text: 'content', id: 'key', url: 'link', name: 'web' };
  const all = await readAll([source]);
  expect(all.rows).toHaveLength(50);
  expect(all.rows[3]).toMatchObject({ source: 'web', text: 'text 3', url: 'https://e.org/3', metadata: { key: '3' } });
  const some = await readAll([source], 7);
  expect(some.rows.map((r) => r.id)).toEqual(all.rows.slice(0, 7).map((r) => r.id));
});

test('Parquet: text column, nested values as JSON, nulls left out; a wrong column says which exist', async () => {
  const path = join(input, 'p.parquet');
  await (
    await duckdb()
  ).run(
    `COPY (SELECT 'id' || i AS id, CASE WHEN i = 3 THEN NULL ELSE 'text ' || i END AS text, i * 2 AS n, [i, i + 1] AS pair, NULL::VARCHAR AS nothing, 'fr' AS language FROM range(5000) t(i)) TO ${quote(path)} (FORMAT parquet, ROW_GROUP_SIZE 2048)`,
  );
  const { rows, refused } = await readAll([{ path }]);
  expect(rows).toHaveLength(4999);
  expect(rows[4998]).toMatchObject({
    text: 'text 4999',
    language: 'fr',
    metadata: { id: 'id4999', n: '9998', pair: '[4999,5000]' },
    location: 'p.parquet:5000',
  });
  expect(refused.map((d) => [d.rule, d.evidence])).toEqual([['no_text', 'p.parquet:4']]);
  await expect(readAll([{ path, text: 'body' }])).rejects.toThrow(/no column "body"/);
});

test('a folder of mixed files: HTML through the extractor, hidden and unknown files passed over', async () => {
  mkdirSync(join(input, 'site/deep'), { recursive: true });
  const page = (robots: string) =>
    `<html lang="en"><title>Fine page</title><meta name=robots content="${robots}"><body><p>A paragraph of plain text that says enough to be kept, as it has sentences.</p></body></html>`;
  writeFileSync(join(input, 'site/deep/one.html'), page('all'));
  writeFileSync(join(input, 'site/two.html.gz'), gzipSync(page('noai')));
  writeFileSync(join(input, 'site/three.html'), '');
  writeFileSync(join(input, 'site/notes.docx'), 'x');
  writeFileSync(join(input, 'site/.hidden.html'), page('all'));
  const { rows, refused } = await readAll([{ path: join(input, 'site') }]);
  expect(rows.map((r) => [r.source, r.location, r.title, r.language, r.text])).toEqual([
    [
      'site',
      'deep/one.html',
      'Fine page',
      'en',
      'A paragraph of plain text that says enough to be kept, as it has sentences.',
    ],
  ]);
  expect(refused.map((d) => [d.evidence, d.rule, d.verdict])).toEqual([
    ['three.html', 'no_text', 'drop'],
    ['two.html.gz', 'opt_out_noai', 'refuse'],
  ]);
});

test('a changed file is read anew, an unchanged one is not; the same content gives the same bytes', async () => {
  const path = join(input, 'a.jsonl');
  writeFileSync(path, line({ text: 'one' }));
  const first = await readAll([{ path }]);
  const again = await readAll([{ path }]);
  expect(again.report.units[0]).toEqual({ ...first.report.units[0], reused: true });
  appendFileSync(path, line({ text: 'two' }));
  const changed = await readAll([{ path }]);
  expect(changed.report.units[0]!.key).not.toBe(first.report.units[0]!.key);
  expect(changed.rows.map((r) => r.text)).toEqual(['one', 'two']);
  expect(changed.rows[0]!.id).toBe(first.rows[0]!.id);
});

test('what cannot be read stops the run with one sentence', async () => {
  writeFileSync(join(input, 'cut.jsonl.gz'), gzipSync(line({ text: 'x'.repeat(1e5) })).subarray(0, 60));
  writeFileSync(join(input, 'fake.parquet'), 'PAR1 no');
  writeFileSync(join(input, 'thing.bin'), 'x');
  await expect(readAll([{ path: join(input, 'cut.jsonl.gz') }])).rejects.toThrow(
    /cut\.jsonl\.gz: the gzip file ends too early/,
  );
  await expect(readAll([{ path: join(input, 'fake.parquet') }])).rejects.toThrow(
    /fake\.parquet: this is no Parquet file/,
  );
  await expect(readAll([{ path: join(input, 'thing.bin') }])).rejects.toThrow(/the kind of this file is not known/);
  await expect(readAll([{ path: join(input, 'absent.jsonl') }])).rejects.toThrow(/no such file/);
  await expect(readAll([{ path: join(input, '*.nothing') }])).rejects.toThrow(/matches no file/);
  writeFileSync(join(input, 'a.jsonl'), line({ text: 'x' }));
  await expect(readAll([{ path: join(input, 'a.jsonl') }, { path: join(input, 'a.*l'), name: 'a' }])).rejects.toThrow(
    /two sources are called "a"/,
  );
});
