import { existsSync, readdirSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { GarnerError } from '../../../core/errors.ts';
import { openCatalog, type Catalog } from '../../../datasets/lake/catalog.ts';
import { exportParquet, query, stream } from '../../../datasets/lake/query.ts';
import { smallLake } from './small-lake.ts';

let lake = '';
let catalog: Catalog;
beforeAll(async () => {
  lake = await smallLake();
});
afterAll(() => rmSync(lake, { recursive: true, force: true }));
beforeEach(async () => {
  catalog = await openCatalog(lake);
});
afterEach(() => catalog.close());
const files = () => readdirSync(lake, { recursive: true, encoding: 'utf8' }).toSorted();

describe('ways out of the lake, and ways to write into it', () => {
  const probes = (): string[] => [
    `from enable_logging()`,
    `from enable_logging(storage='file', storage_path='${lake}/log')`,
    `from enable_logging(storage='file', storage_path='/tmp/garner-log')`,
    `from Enable_Logging()`,
    `from "enable_logging"()`,
    `from system.main.enable_logging()`,
    `from enable_profiling(save_location='${lake}/profile.json')`,
    `from disable_logging()`,
    `from force_checkpoint()`,
    `select write_log('x')`,
    `select (select write_log('x'))`,
    `with a as (select write_log('x')) from a`,
    `from (values (1)) t(x), lateral (select write_log(x::varchar))`,
    `select list_transform([1], lambda x: write_log(x::varchar))`,
    `explain analyze select write_log('x')`,
    `from query('from enable_log' || 'ging()')`,
    `from query('select 1')`,
    `from json_execute_serialized_sql(json_serialize_sql('from enable_logging()'))`,
    `from query_table('/etc/passwd')`,
    `/* /* */ explain select 1 -- */ explain analyze copy (select 1) to '${lake}/x.parquet'`,
    `/* /* */ */ explain analyze copy (select 1) to '${lake}/x.parquet'`,
    `explain /**/ analyze copy (select 1) to '${lake}/x.parquet'`,
    `explain (format json) copy (select 1) to '${lake}/x.parquet'`,
    `explain analyze select 1; copy (select 1) to '${lake}/x.parquet'`,
    `explain explain select 1`,
    `\u00a0copy (select 1) to '${lake}/x.parquet'`,
    `\ufeffcopy (select 1) to '${lake}/x.parquet'`,
    `pivot documents on language`,
    `create macro f() as 1`,
    `create temp table t as select 1`,
    `set variable x = 1`,
    `with x as (delete from documents returning *) from x`,
    `merge into documents using captures on true when matched then delete`,
    `select * from read_blob('/etc/hostname')`,
    `select * from read_text('${lake}/../../etc/hostname')`,
    `select * from read_text('file:///etc/hostname')`,
    `select * from sniff_csv('/etc/hostname')`,
    `select * from parquet_metadata('/etc/hostname')`,
    `select * from read_csv('/proc/self/environ')`,
    `from 'https://example.org/a.parquet'`,
    `from '/etc/*.csv'`,
    `select * from duckdb_secrets()`,
    `select getenv('HOME')`,
    `select * from st_read('/etc/hostname')`,
    `attach 'https://example.org/a.db'`,
    `comment on view documents is 'x'`,
    `select $1`,
    `select error('${'x'.repeat(5000)}')`,
    `selec 1`,
    `/* never closed`,
    `select '\u0000'; drop view documents`,
  ];
  test('each is one sentence, and nothing is written', async () => {
    const before = files();
    for (const probe of probes()) {
      const error: unknown = await query(catalog, probe).then(
        () => null,
        (e: unknown) => e,
      );
      expect(error, probe).toBeInstanceOf(GarnerError);
      const { message, fault } = error as GarnerError;
      expect([probe, fault, message.split('\n').length, message.length < 600]).toEqual([probe, 2, 1, true]);
    }
    expect(files()).toEqual(before);
    expect(existsSync('/tmp/garner-log')).toBe(false);
    await expect(exportParquet(catalog, `select 1) to '${lake}/y.csv' (format csv); --`, '/tmp/x')).rejects.toThrow(
      GarnerError,
    );
    expect(files()).toEqual(before);
  });

  test('a result never lands in the lake, nor half-written', async () => {
    const part = files().find((f) => f.endsWith('.parquet'))!;
    const bytes = readFileSync(join(lake, part));
    await expect(openCatalog(lake, { writable: join(lake, part) })).rejects.toThrow(/would lie in the lake/);
    expect(readFileSync(join(lake, part))).toEqual(bytes);
    const file = `${lake}-result.parquet`;
    catalog.close();
    catalog = await openCatalog(lake, { writable: file });
    await expect(
      exportParquet(catalog, `select if(range = 400000, error('late'), range) from range(500000)`, file),
    ).rejects.toThrow(/late/);
    expect([existsSync(file), existsSync(`${file}.part`)]).toEqual([false, false]);
  });

  test('what reads stays possible', async () => {
    for (const sql of [
      'describe documents',
      'show tables',
      'summarize captures',
      'table captures',
      'values (1), (2)',
      'unpivot (select 1 a, 2 b) on a, b',
      `pivot (select 1 a, 2 b) on a in (1) using sum(b)`,
      'explain analyze select 1',
      'explain /* here */ select 1',
      '/* a /* nested */ comment */ -- and another\n explain from documents',
      `from query_table('documents')`,
      'with recursive t as (select 1 x union all select x + 1 from t where x < 5) from t',
      '\ufeffselect 1;',
      `select 'enable_logging()'`,
      'select list_transform([1], lambda x: x + 1)',
    ])
      expect([sql, (await query(catalog, sql)).rows.length > 0]).toEqual([sql, true]);
  });
});

describe('results', () => {
  test('every type has a JSON form', async () => {
    const { rows, columns } = await query(
      catalog,
      `select 170141183460469231731687303715884105727 h, 9007199254740993 b, 12::bigint s, 1.10::decimal(10,2) d, 'nan'::double n,
        '-inf'::double i, [1, null] l, {'x': 1} st, map {'k': 1} m, '\\x00\\xFF'::blob bl, interval 3 month iv,
        timestamp '2020-01-02 03:04:05.5' t, 1 as a, 2 as a`,
    );
    expect(JSON.parse(JSON.stringify(rows[0]))).toEqual([
      '170141183460469231731687303715884105727',
      '9007199254740993',
      12,
      '1.10',
      'NaN',
      '-Infinity',
      [1, null],
      { x: 1 },
      [{ key: 'k', value: 1 }],
      '\\x00\\xFF',
      { months: 3, days: 0, micros: '0' },
      '2020-01-02 03:04:05.5',
      1,
      2,
    ]);
    expect(columns.slice(-2).map((c) => [c.name, c.unique])).toEqual([
      ['a', 'a'],
      ['a', 'a:1'],
    ]);
  });

  test('a long result is streamed: its first rows are there before its last', async () => {
    const { batches } = await stream(catalog, 'select range from range(1000000000000)');
    const first = await batches.next();
    expect((first.value as unknown[][])[0]).toEqual([0]);
    await batches.return(undefined);
  });

  test('a query that wants more memory than there is fails with one sentence', async () => {
    const error = await query(catalog, `select length(string_agg(repeat('x', 1000000), '')) from range(100000)`).then(
      () => null,
      (e: unknown) => e,
    );
    expect(error).toBeInstanceOf(GarnerError);
    expect((error as GarnerError).message).toMatch(/memory|too large|size/i);
    expect((await query(catalog, 'select 1')).rows).toEqual([[1]]);
  });
});

test('a lake whose file was cut or deleted is named, not a stack', async () => {
  const other = await smallLake();
  try {
    const file = readdirSync(join(other, 'documents'), { recursive: true, encoding: 'utf8' }).find((f) =>
      f.endsWith('.parquet'),
    )!;
    truncateSync(join(other, 'documents', file), 20);
    await expect(openCatalog(other)).rejects.toThrow(/missing or damaged/);
    rmSync(join(other, 'documents', file));
    await expect(openCatalog(other)).rejects.toThrow(/missing or damaged/);
  } finally {
    rmSync(other, { recursive: true, force: true });
  }
});
