import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { openLake } from '../../../core/lake/lake.ts';
import { readTable } from '../../../core/lake/parquet.ts';
import { silent } from '../../../core/progress.ts';
import { captures, type Capture } from '../../../core/records/index.ts';
import { inProcess, run, type AnyStage } from '../../../core/stage/index.ts';
import { readMarker } from '../../../core/stage/marker.ts';
import { filesSection } from '../../../crawlers/archives/recipe.ts';
import { readCapture } from '../../../crawlers/archives/warc.ts';
import crawlStage from '../../../crawlers/stages/crawl.ts';
import indexStage from '../../../crawlers/stages/index-archives.ts';
import { sharedData } from '../../shared.ts';
import { cleanUp, page, recipeFor, start } from '../web/site.ts';

cleanUp();
const lakes: string[] = [];
afterEach(() => {
  for (const lake of lakes.splice(0)) rmSync(lake, { recursive: true, force: true });
});

async function newLake(): Promise<string> {
  const lake = join(mkdtempSync(join(tmpdir(), 'garner-captures-')), 'lake');
  lakes.push(resolve(lake, '..'));
  return openLake(lake);
}

async function runStage(lake: string, stage: AnyStage, recipe: Record<string, unknown>) {
  const [report] = await run({
    lake,
    recipe: { name: 'test', ...recipe },
    stages: [stage],
    executor: inProcess(),
    progress: silent,
  });
  const unit = report!.units[0]!;
  const output = readMarker(lake, stage.name, stage.name, unit.key!)!;
  const tables = output.files.filter((f) => f.path.endsWith('.parquet')).map((f) => join(lake, f.path));
  const rows: Capture[] = [];
  for await (const batch of readTable(tables, captures)) rows.push(...(batch as Capture[]));
  return { report: report!, output, rows };
}

test('a crawl in a lake: rows sorted by URL, archives counted as output, and no second crawl for the same recipe', async () => {
  const site = await start({ '/': page('home', '/b', '/a'), '/a': page('a'), '/b': page('b') });
  const lake = await newLake();
  const recipe = { crawl: recipeFor(site, { sitemaps: false }) };
  const { rows, output, report } = await runStage(lake, crawlStage, recipe);
  expect(rows.map((r) => r.url.replace(site.url, ''))).toEqual(['/', '/a', '/b', '/robots.txt']);
  expect(report.counts).toEqual({ urls: 4, fetched: 3, not_page: 1, links_to_other_hosts: 0 });
  expect(output.files.map((f) => f.path.replace(/.*\//, ''))).toEqual(['part-00000.parquet', 'crawl-00000.warc.gz']);
  for (const r of rows) {
    const content = await readCapture(join(lake, r.warc_file!), r.warc_offset!, r.warc_length!);
    expect(content).toMatchObject({ ok: true, url: r.url, status: r.status });
  }
  const asked = site.asked.length;
  expect((await runStage(lake, crawlStage, recipe)).report.units[0]!.reused).toBe(true);
  // A gentler pace is the same crawl; another limit is not.
  const slower = { crawl: recipeFor(site, { sitemaps: false, delay: 5 }) };
  expect((await runStage(lake, crawlStage, slower)).report.units[0]!.reused).toBe(true);
  expect(site.asked.length).toBe(asked);
  const limited = await runStage(lake, crawlStage, { ...recipe, limit: 1 });
  expect(limited.report.units[0]!.reused).toBe(false);
  expect(limited.report.counts).toMatchObject({ fetched: 1, skipped: 2 });
});

test('a crawl in which nothing could be asked for is an error, and the same command tries again', async () => {
  const lake = await newLake();
  const site = await start({ '/': page('home') });
  const loopback = { crawl: recipeFor(site, { allow: [] }) };
  await expect(runStage(lake, crawlStage, loopback)).rejects.toMatchObject({
    fault: 2,
    hint: expect.stringContaining('allow'),
  });
  const down = { crawl: recipeFor(site) };
  await site.close();
  await expect(runStage(lake, crawlStage, down)).rejects.toThrow(/nothing answers there/);
  let broken = true;
  const busy = await start({
    '/': page('home'),
    '/robots.txt': (_q, r) => void r.writeHead(broken ? 500 : 404).end(),
  });
  const recipe = { crawl: recipeFor(busy) };
  await expect(runStage(lake, crawlStage, recipe)).rejects.toThrow(/robots.txt cannot be had/);
  broken = false;
  expect((await runStage(lake, crawlStage, recipe)).report.counts).toMatchObject({ fetched: 1 });
});

const folder = sharedData('warc');

test.skipIf(!folder)(
  'archives: one row a capture, one a damaged stretch, and what shares a member is copied',
  async () => {
    const lake = await newLake();
    const names = [
      'made/bodies.warc.gz',
      'made/bodies-one-member.warc.gz',
      'made/bodies.warc',
      'made/garbage-between.warc.gz',
      'made/revisit.warc.gz',
      'warcio/example.arc.gz',
      'whirlwind/whirlwind.warc.gz',
      'made/text.warc.wet.gz',
    ];
    const files = filesSection.parse(names.map((n, i) => ({ path: join(folder!, n), type: 'warc', name: `s${i}` })));
    const { rows, output } = await runStage(lake, indexStage, { files });
    const of = (i: number) => rows.filter((r) => r.source === `s${i}`);
    const outcomes = (i: number) => {
      const counts: Record<string, number> = {};
      for (const r of of(i)) counts[r.outcome] = (counts[r.outcome] ?? 0) + 1;
      return counts;
    };
    for (const i of [0, 1, 2]) {
      expect(outcomes(i)).toEqual({ fetched: 17, not_page: 1 });
      for (const r of of(i).filter((x) => x.outcome === 'fetched')) {
        const content = await readCapture(resolve(lake, r.warc_file!), r.warc_offset!, r.warc_length!);
        expect(content.ok && content.body.toString()).toContain('Die Stadt am Rhein – Größe');
      }
    }
    expect(of(1).every((r) => r.warc_file!.startsWith('captures/'))).toBe(true);
    expect(of(0).every((r) => r.warc_file === join(folder!, names[0]!))).toBe(true);
    expect(of(3).filter((r) => r.reason === 'not_a_member').length).toBe(1);
    expect(outcomes(3)).toEqual({ fetched: 5, failed: 1 });
    expect(outcomes(4)).toEqual({ fetched: 1, skipped: 3 });
    expect(of(5).map((r) => [r.url, r.status, r.outcome])).toEqual([['http://example.com/', 200, 'fetched']]);
    expect(of(6).map((r) => [r.status, r.outcome])).toEqual([[200, 'fetched']]);
    expect(of(7).map((r) => [r.media_type, r.outcome])).toEqual(
      Array.from({ length: 4 }, () => ['text/plain', 'fetched']),
    );
    // The same archives give the same bytes.
    const again = await runStage(await newLake(), indexStage, { files });
    expect(again.output.files.map((f) => f.sha256)).toEqual(output.files.map((f) => f.sha256));
    expect(readFileSync(join(lake, output.files[0]!.path)).length).toBeGreaterThan(0);
  },
);
