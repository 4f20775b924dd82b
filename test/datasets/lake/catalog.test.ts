import { existsSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { GarnerError } from '../../../core/errors.ts';
import { openCatalog, type Catalog } from '../../../datasets/lake/catalog.ts';
import { exportParquet, query } from '../../../datasets/lake/query.ts';
import { stats } from '../../../datasets/lake/stats.ts';
import { why } from '../../../datasets/lake/why.ts';
import { tell } from '../../../cli/commands/why.ts';
import { smallLake } from './small-lake.ts';

let lake = '';
let catalog: Catalog;
beforeAll(async () => {
  lake = await smallLake();
});
afterAll(() => rmSync(lake, { recursive: true, force: true }));
const open = async (options = {}) => (catalog = await openCatalog(lake, options));
afterEach(() => catalog.close());
const ask = async (sql: string) => (await query(catalog, sql)).rows;

describe('views', () => {
  test('documents: edited text, identified language, first reason, words of both scripts', async () => {
    await open();
    expect(await ask('select id, domain, language, words, keep, reason, edited from documents order by id')).toEqual([
      ['doc1', 'example.org', 'en', 7, true, null, true],
      ['doc2', 'example.org', 'zh', 14, true, null, false],
      ['doc3', 'example.org', 'en', 3, false, 'gopher_short_doc', false],
      ['doc4', 'example.org', 'en', 7, false, 'near_duplicate', false],
    ]);
    expect(await ask(`select text from documents where id = 'doc1'`)).toEqual([
      ['Call me Ishmael. Write to <email> today.'],
    ]);
  });

  test('what was masked is in no view without --raw', async () => {
    await open();
    for (const view of catalog.views) {
      const found = await ask(
        `select count(*) from (select v::varchar as line from "${view.name}" v) where contains(line, 'ishmael@pequod')`,
      );
      expect([view.name, found]).toEqual([view.name, [[0]]]);
    }
    await expect(ask('select * from documents_extracted')).rejects.toThrow(/documents_extracted/);
    catalog.close();
    await open({ raw: true });
    expect(await ask(`select count(*) from documents_extracted where contains(text, 'ishmael@pequod')`)).toEqual([[1]]);
  });

  test('every URL that was touched adds up', async () => {
    await open();
    expect(await ask('select outcome, reason, count(*) from captures group by all order by all')).toEqual([
      ['fetched', null, 4],
      ['refused', 'robots', 1],
    ]);
  });

  test('signals are one struct a filter, with the meaning of each column', async () => {
    await open();
    expect(await ask(`select language.language, language.score from signals where document_id = 'doc2'`)).toEqual([
      ['zh', 0.9],
    ]);
    const signals = catalog.views.find((v) => v.name === 'signals')!;
    expect(signals.columns.find((c) => c.name === 'language.language')!.about).toBe('identified language');
  });

  test('every column that a view names exists, and the other way round', async () => {
    await open({ raw: true });
    for (const view of catalog.views.filter((v) => v.name !== 'signals')) {
      const described = await ask(`select column_name from (describe "${view.name}")`);
      expect([view.name, described.flat()]).toEqual([view.name, view.columns.map((c) => c.name)]);
    }
  });
});

describe('the lock', () => {
  const outside = '/etc/hostname';
  const files = () =>
    Object.fromEntries(
      readdirSync(lake, { recursive: true, encoding: 'utf8' })
        .filter((f) => f.endsWith('.parquet'))
        .map((f) => [f, readFileSync(join(lake, f)).length]),
    );
  test('nothing but reading the lake goes through', async () => {
    await open();
    const before = files();
    const part = Object.keys(before)[0]!;
    const probes = [
      `select * from read_csv('${outside}')`,
      `select * from read_text('${outside}')`,
      `select * from '${outside}'`,
      `select * from glob('/etc/*')`,
      `select * from read_parquet('${lake}/../*/x.parquet')`,
      `select * from read_csv('http://127.0.0.1:9/x')`,
      `select * from read_json('https://example.org/')`,
      `copy (select 1) to '${lake}/x.parquet'`,
      `copy (select 1) to '${lake}/${part}' (use_tmp_file false)`,
      `explain analyze copy (select 1) to '${lake}/x.parquet'`,
      `/* a */ explain copy (select 1) to '${lake}/x.parquet'`,
      `attach ':memory:' as m`,
      `attach '${lake}/x.db' as m`,
      'set threads=8',
      `set enable_external_access=true`,
      'reset lock_configuration',
      'select 1; select 2',
      'load httpfs',
      'install httpfs',
      'create table t(a int)',
      'create view v as select 1',
      'drop view documents',
      'insert into documents values (1)',
      'delete from documents',
      'update documents set id = 1',
      'pragma enable_profiling',
      'call pragma_version()',
      'begin',
      'vacuum',
      'checkpoint',
      "export database 'x'",
      "import database 'x'",
      'use memory',
      `prepare p as select 1`,
      `execute p`,
      `detach memory`,
      '',
      '-- nothing',
    ];
    for (const probe of probes) await expect(query(catalog, probe), probe).rejects.toThrow(GarnerError);
    expect(files()).toEqual(before);
    expect(existsSync(join(lake, 'x.parquet'))).toBe(false);
  });

  test('a link that leads out of the lake is not followed', async () => {
    const link = join(lake, 'documents', 'link.csv');
    const secret = `${lake}-secret.csv`;
    writeFileSync(secret, 'a\nsecret\n');
    symlinkSync(secret, link);
    try {
      await open();
      await expect(query(catalog, `select * from read_csv('${link}')`)).rejects.toThrow(GarnerError);
    } finally {
      rmSync(link);
      rmSync(secret);
    }
  });

  test('reads stay possible: WITH, FROM first, EXPLAIN', async () => {
    await open();
    expect(await ask('with a as (select 1 as x) select x from a')).toEqual([[1]]);
    expect(await ask('from documents select count(*)')).toEqual([[4]]);
    expect((await ask('explain select * from documents')).length).toBeGreaterThan(0);
    expect(await ask('-- a comment first\nselect 2')).toEqual([[2]]);
  });

  test('a long query stops when it is interrupted', async () => {
    await open();
    setTimeout(() => catalog.connection.interrupt(), 200);
    await expect(
      query(catalog, 'select count(*) from range(100000000) a, range(100000) b where a.range % 7 = b.range % 11'),
    ).rejects.toThrow(/INTERRUPT/);
  });

  test('a result goes to the one file that was named', async () => {
    const file = `${lake}-result.parquet`;
    await open({ writable: file });
    await exportParquet(catalog, 'select id, text from documents where keep order by id;', file);
    expect(await ask(`select id from read_parquet('${file}')`)).toEqual([['doc1'], ['doc2']]);
    await expect(query(catalog, `select * from read_parquet('${file}.other')`)).rejects.toThrow(GarnerError);
    rmSync(file);
  });
});

test('stats: the funnel goes down step by step and the groups add up', async () => {
  await open();
  const found = await stats(catalog);
  expect(found.funnel.map((f) => [f.step, f.documents])).toEqual([
    ['captured', 5],
    ['extracted', 4],
    ['kept by the filters', 3],
    ['not a duplicate', 2],
    ['selected by the mix', 2],
    ['in token shards', 2],
    ['of them for training', 1],
  ]);
  for (const groups of Object.values(found.by)) expect(groups.reduce((n, g) => n + g.documents, 0)).toBe(4);
  expect(found.by.reason.map((g) => g.name)).toEqual(['kept', 'gopher_short_doc', 'near_duplicate']);
  expect(found.totals.tokens).toBe(32);
});

describe('why', () => {
  test('a kept page: capture, edits without their value, split, shard', async () => {
    await open();
    const story = await why(catalog, 'http://www.example.org/one/');
    expect(story.document!['id']).toBe('doc1');
    expect(story.edits).toEqual([{ rule: 'EMAIL_ADDRESS', count: 1, spans: '26–48' }]);
    expect(story.snapshot!['split']).toBe('train');
    expect(story.shards[0]!['length']).toBe(12);
    const told = tell(story, 100);
    expect(told).toContain('selected for train');
    expect(told).not.toContain('ishmael@');
  });

  test('a dropped page: every rule that would have dropped it, the first one last', async () => {
    await open();
    const told = tell(await why(catalog, 'doc3'), 120);
    expect(told).toMatch(/judge +drop +gopher_short_doc +3 +< 50/);
    expect(told).toContain('gopher_enough_stop_words');
    expect(told).toContain('dropped by judge, rule gopher_short_doc');
  });

  test('a duplicate names the one that stays; a refusal has no document; a stranger gets the nearest', async () => {
    await open();
    expect(tell(await why(catalog, 'doc4'), 100)).toContain(
      'a copy of http://www.example.org/one: near, similarity 0.875',
    );
    expect(tell(await why(catalog, 'http://example.org/private'), 100)).toContain('no document was made of it');
    await expect(why(catalog, 'priv')).rejects.toThrow(/knows no such/);
  });
});
