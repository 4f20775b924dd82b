import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { readTable, writeTable } from '../../core/lake/parquet.ts';
import { column, defineTable, optional, type Row } from '../../core/records/index.ts';

const table = defineTable({
  name: 'all_types',
  about: '',
  columns: {
    a: column('text', ''),
    b: optional('int', ''),
    c: optional('float', ''),
    d: column('bool', ''),
    e: optional('time', ''),
    f: column('texts', ''),
    g: column('map', ''),
    h: optional('bytes', ''),
    i: column('ints', ''),
    j: optional('floats', ''),
    k: column('numbers', ''),
    l: column('messages', ''),
  },
});
const folder = mkdtempSync(join(tmpdir(), 'garner-parquet-'));
afterAll(() => rmSync(folder, { recursive: true }));

const rows: Row<typeof table>[] = Array.from({ length: 5000 }, (_, i) => ({
  a: `话说 ${i} 'quoted' "twice"\n`,
  b: i % 7 === 0 ? null : i * 2 ** 30,
  c: i % 5 === 0 ? null : i / 3,
  d: i % 2 === 0,
  e: i % 3 === 0 ? null : Date.UTC(2026, 0, 1) + i,
  f: i % 4 === 0 ? [] : ['noai', `x${i}`],
  g: i % 6 === 0 ? {} : { 'a key': `v${i}` },
  h: i % 8 === 0 ? null : Uint8Array.of(i & 255, 0, 255),
  i: i % 3 === 0 ? [] : [i, -(2 ** 40)],
  j: i % 5 === 0 ? null : [i / 7, -0.5],
  k: i % 6 === 0 ? {} : { checker: i % 2, 'a model': -1.25 },
  l: i % 9 === 0 ? [] : [{ role: 'user', content: `“${i}”\n\u202e` }],
}));

async function write(name: string) {
  const path = join(folder, name);
  const writer = await writeTable(path, table);
  for (const row of rows) writer.append(row);
  await writer.close();
  return path;
}

test('every type comes back as it went in, nulls too, over many batches', async () => {
  const path = await write('one.parquet');
  const back: Row<typeof table>[] = [];
  for await (const batch of readTable([path], table)) back.push(...batch);
  expect(back).toHaveLength(rows.length);
  expect(back.map((r) => ({ ...r, h: r.h && Uint8Array.from(r.h) }))).toEqual(rows);
});

test('the same rows give the same bytes', async () => {
  expect(readFileSync(await write('two.parquet')).equals(readFileSync(await write('three.parquet')))).toBe(true);
});

test('NaN and a missing value are refused where they are written', async () => {
  const refuses = async (part: Partial<Row<typeof table>>, words: RegExp) => {
    const writer = await writeTable(join(folder, 'bad.parquet'), table);
    expect(() => writer.append({ ...rows[0]!, ...part })).toThrow(words);
  };
  await refuses({ c: Number.NaN }, /all_types.c is NaN/);
  await refuses({ j: [0, Infinity] }, /all_types.j is Infinity/);
  await refuses({ k: { checker: Number.NaN } }, /all_types.k is NaN/);
  await refuses({ a: null as unknown as string }, /all_types.a is null/);
});
