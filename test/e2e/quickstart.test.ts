import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Manifest } from '../../examples/sample-site/manifest.ts';
import { scoreSite, type SiteScore } from '../../examples/sample-site/score.ts';
import { buildSite } from '../../examples/sample-site/site.ts';
import { findBrowser } from '../../crawlers/web/browser-path.ts';
import { lakeDigest, runGarner, type Ran } from './lakes.ts';

let folder = '';
let lake = '';
let base = '';
let ran: Ran;
let manifest: Manifest;
let score: SiteScore;
const sql = (query: string): Record<string, unknown>[] => {
  const { code, out, err } = runGarner(['sql', query, '--lake', lake, '--json']);
  expect([code, err]).toEqual([0, '']);
  return out
    .split('\n')
    .filter(Boolean)
    .map((l) => JSON.parse(l) as Record<string, unknown>);
};
const rate = (share: { found: number; of: number }) => share.found / share.of;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'garner-quickstart-'));
  lake = join(folder, 'lake');
  ran = runGarner(['quickstart', '--lake', lake]);
  if (ran.code !== 0) console.error(ran.err);
  base = `http://127.0.0.1:${readFileSync(join(lake, '.site-port'), 'utf8').trim()}`;
  manifest = buildSite(1).manifest();
  score = await scoreSite(lake, 'quickstart', manifest, base);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('the whole arrow runs and says what it came to', () => {
  expect(ran.code).toBe(0);
  for (const words of [
    'URLs touched',
    'kept',
    'dropped:',
    'duplicates',
    'tokens',
    'tokens/s',
    'loss',
    'bits per byte',
    'garner sql',
  ])
    expect(ran.out).toContain(words);
});

describe('held against the manifest of the site', () => {
  test('every URL has the outcome and reason that the manifest says', () => {
    const browser = findBrowser() !== null;
    if (!browser) console.warn('there is no browser here: the page that only JavaScript fills is needs_browser');
    const rendered = (m: string) => browser && m.includes(': fetched, should be needs_browser');
    const missed = score.outcomes.missed.filter((m) => !rendered(m));
    expect(missed).toEqual([]);
    expect(score.outcomes.of).toBeGreaterThan(1500);
  });

  test('every planted exact duplicate, 95 % of the near ones from 0.85 on, none below 0.8', () => {
    expect(score.exact.missed).toEqual([]);
    expect(rate(score.near)).toBeGreaterThanOrEqual(0.95);
    expect(score.falseNear.found).toBe(0);
    expect([score.exact.of, score.near.of, score.falseNear.of].every((n) => n >= 10)).toBe(true);
  });

  test('all valid cards and IDs, 95 % of e-mails and phones', () => {
    for (const type of ['CREDIT_CARD', 'CN_ID']) expect([type, score.personal[type]!.missed]).toEqual([type, []]);
    for (const type of ['EMAIL_ADDRESS', 'PHONE_NUMBER', 'CN_MOBILE'])
      expect(rate(score.personal[type]!), type).toBeGreaterThanOrEqual(0.95);
  });

  test('of the pages without trouble at most 2 % are dropped, in English and in Chinese', () => {
    for (const language of ['en', 'zh']) {
      expect(score.dropped[language]!.of).toBeGreaterThan(300);
      expect(rate(score.dropped[language]!), score.dropped[language]!.missed.join('\n')).toBeLessThanOrEqual(0.02);
    }
  });

  test('gibberish, spam and toxic pages are dropped', () => {
    for (const [kind, share] of Object.entries(score.trouble)) expect([kind, share.missed]).toEqual([kind, []]);
  });
});

test('every URL that the crawl touched is in the catalog', () => {
  const outcomes = sql('select outcome, reason, count(*) as n from captures group by all');
  const [{ n: total } = { n: 0 }] = sql('select count(*) as n, count(distinct url) as urls from captures');
  expect(outcomes.reduce((n, o) => n + (o['n'] as number), 0)).toBe(total);
  expect(total).toBeGreaterThanOrEqual(manifest.pages.length);
});

test('what was masked is in no view, no decision, no snapshot, no token and no sample', () => {
  const values = manifest.pages.flatMap((p) => p.personal.map((v) => v.value));
  expect(values.length).toBeGreaterThan(200);
  const views = sql('select distinct view_name from duckdb_views() where not internal').map(
    (v) => v['view_name'] as string,
  );
  expect(views).toContain('documents');
  const list = values.map((v) => `'${v.replaceAll("'", "''")}'`).join(', ');
  for (const view of views) {
    const found = sql(
      `select count(*) as n from (select v::varchar as line from "${view}" v), (select unnest([${list}]) as value) where contains(line, value)`,
    );
    expect([view, found[0]!['n']]).toEqual([view, 0]);
  }
  const open = readdirSync(lake, { recursive: true, encoding: 'utf8' }).filter((f) => /\.jsonl?$/.test(f));
  for (const file of open) {
    const text = readFileSync(join(lake, file), 'utf8');
    expect([file, values.filter((v) => text.includes(v))]).toEqual([file, []]);
  }
  const decoded = runGarner(['sql', `select text from snapshot_documents`, '--lake', lake, '--json']).out;
  expect(values.filter((v) => decoded.includes(v))).toEqual([]);
  expect(values.filter((v) => (ran.out + ran.err).includes(v))).toEqual([]);
});

test('why tells the whole story of a kept page and of a dropped one', () => {
  const [kept] = sql(
    `select d.url from documents d join shards s on s.document_id = d.id where s.split = 'train' limit 1`,
  );
  const told = runGarner(['why', kept!['url'] as string, '--lake', lake]).out;
  for (const words of [
    'captured',
    'document',
    'measured',
    'decided',
    'selected for train',
    'tokens from',
    'trained on by',
  ])
    expect(told).toContain(words);
  const [dropped] = sql(`select url, reason from documents where reason = 'gopher_short_doc' limit 1`);
  const gone = runGarner(['why', dropped!['url'] as string, '--lake', lake]).out;
  expect(gone).toMatch(/judge +drop +gopher_short_doc +\d+ +50/);
});

test('the same captures and recipe give the same bytes with one worker', () => {
  const before = lakeDigest(
    lake,
    /^(?:documents|signals|decisions|edits|texts|duplicates|snapshots|tokenizers|tokens|shards)\//,
  );
  for (const made of [
    'documents',
    'signals',
    'decisions',
    'edits',
    'texts',
    'signatures',
    'duplicates',
    'snapshots',
    'tokenizers',
    'tokens',
    'shards',
  ])
    rmSync(join(lake, made), { recursive: true, force: true });
  for (const stage of readdirSync(join(lake, 'stages')))
    if (stage !== 'crawl') rmSync(join(lake, 'stages', stage), { recursive: true, force: true });
  const again = runGarner(['quickstart', '--lake', lake, '--workers', '1', '--until', 'shards']);
  expect(again.code).toBe(0);
  expect(
    lakeDigest(lake, /^(?:documents|signals|decisions|edits|texts|duplicates|snapshots|tokenizers|tokens|shards)\//),
  ).toEqual(before);
});
