import { mkdtempSync, mkdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import type { Capture } from '../../../core/records/index.ts';
import { noBrowser } from '../../../crawlers/web/browser.ts';
import { crawl } from '../../../crawlers/web/crawl.ts';
import type { CrawlRecipe } from '../../../crawlers/web/recipe.ts';
import { page, recipeFor, serve, type Site } from './site.ts';

const folders: string[] = [];
const sites: Site[] = [];
afterEach(async () => {
  for (const f of folders.splice(0)) rmSync(f, { recursive: true, force: true });
  for (const s of sites.splice(0)) await s.close();
});

const start = async (answers: Parameters<typeof serve>[0]) => {
  const site = await serve(answers);
  sites.push(site);
  return site;
};

async function run(recipe: CrawlRecipe) {
  const folder = mkdtempSync(join(tmpdir(), 'garner-crawl-'));
  folders.push(folder);
  for (const f of ['warc', 'scratch']) mkdirSync(join(folder, f));
  const result = await crawl({
    recipe,
    warcFolder: join(folder, 'warc'),
    warcFolderInRows: 'warc',
    scratch: join(folder, 'scratch'),
    browser: noBrowser,
    progress() {},
  });
  return { folder, ...result };
}

/** Rows by path: outcome, with the reason after a colon where there is one. */
const verdicts = (site: Site, rows: Capture[]) =>
  Object.fromEntries(
    rows.map((r) => [r.url.replace(site.url, ''), r.reason ? `${r.outcome}: ${r.reason}` : r.outcome]),
  );

test('a small site: each URL is asked for once and has one row', async () => {
  const site = await start({
    '/': page('home', '/a', '/b#x', 'http://other.example/z', '/private/1'),
    '/a': page('a', '/b', '/gone'),
    '/b': page('b', '/a', '/'),
    '/robots.txt': (_q, r) =>
      void r.writeHead(200, { 'Content-Type': 'text/plain' }).end('User-agent: *\nDisallow: /private'),
  });
  const { rows, outside } = await run(recipeFor(site));
  expect(verdicts(site, rows)).toEqual({
    '/': 'fetched',
    '/a': 'fetched',
    '/b': 'fetched',
    '/gone': 'failed: status_404',
    '/private/1': 'refused: robots',
    '/robots.txt': 'not_page: robots_txt',
    '/sitemap.xml': 'failed: status_404',
  });
  expect(outside).toBe(1);
  expect(site.asked.toSorted()).toEqual(['/', '/a', '/b', '/gone', '/robots.txt', '/sitemap.xml']);
  expect(site.atOnce).toBe(1);
});

test('1,500 pages', async () => {
  const n = 1500;
  const answers: Record<string, string> = { '/': page('home', ...Array.from({ length: n }, (_v, i) => `/p/${i}`)) };
  for (let i = 0; i < n; i++) answers[`/p/${i}`] = page(`page ${i}`, `/p/${(i * 7) % n}`, `/p/${(i * 13) % n}`);
  const site = await start(answers);
  const started = performance.now();
  const { rows } = await run(recipeFor(site));
  console.log('1500 pages', performance.now() - started);
  expect(rows.filter((r) => r.outcome === 'fetched').length).toBe(n + 1);
});
