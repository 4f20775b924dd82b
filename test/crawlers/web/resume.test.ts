import { spawn } from 'node:child_process';
import { appendFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Capture } from '../../../core/records/index.ts';
import { compiledModule } from '../../../core/root.ts';
import { readRecords } from '../../../crawlers/archives/warc.ts';
import type { CrawlRecipe } from '../../../crawlers/web/recipe.ts';
import { cleanUp, page, recipeFor, start, type Site } from './site.ts';

cleanUp();

const PAGES = 60;

/** A site of three levels, with redirects, a missing page, a forbidden one and a sitemap. */
const bigSite = () =>
  start({
    '/': page('home', ...Array.from({ length: 6 }, (_, i) => `/s/${i}`), '/forbidden/x'),
    '/robots.txt': (_q, r) =>
      void r.writeHead(200, { 'Content-Type': 'text/plain' }).end('User-agent: *\nDisallow: /forbidden'),
    '*': (request, response) => {
      const path = request.url!;
      const n = Number(path.split('/').at(-1));
      setTimeout(() => {
        if (path.startsWith('/s/')) {
          const links = Array.from({ length: PAGES / 6 }, (_, i) => `/p/${n * 10 + i}`);
          response.writeHead(200, { 'Content-Type': 'text/html' }).end(page(path, ...links));
        } else if (path.startsWith('/p/') && n % 17 === 0) response.writeHead(302, { Location: `/q/${n}` }).end();
        else if (path.startsWith('/p/') || path.startsWith('/q/'))
          response
            .writeHead(200, { 'Content-Type': 'text/html' })
            .end(page(path, `/p/${(n * 7) % PAGES}`, `/gone/${n % 3}`));
        else response.writeHead(404).end();
      }, 4);
    },
  });

/** Runs the crawl in a process of its own; with `kill` it gets SIGKILL once the site was asked so many times. */
function crawlInChild(
  folder: string,
  recipe: CrawlRecipe,
  kill: { site: Site; afterRequests: number } | null,
): Promise<Capture[] | null> {
  const script = `
    const { crawl } = await import(${JSON.stringify(compiledModule('crawlers/web/crawl'))});
    const folder = ${JSON.stringify(folder)};
    const { rows } = await crawl({
      recipe: ${JSON.stringify(recipe)}, warcFolder: folder + '/warc', warcFolderInRows: 'warc',
      scratch: folder + '/scratch', chromium: null, notice() {}, progress() {},
    });
    process.stdout.write(JSON.stringify(rows));`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let out = '';
  child.stdout.on('data', (d: Buffer) => (out += d.toString()));
  if (kill) {
    // Here, before the request is answered: the crawl cannot get any further, however fast it is.
    let left = kill.afterRequests;
    kill.site.onRequest = () => void (--left === 0 && child.kill('SIGKILL'));
  }
  return new Promise((resolve) =>
    child.on('close', (code) => {
      if (kill) kill.site.onRequest = () => {};
      resolve(code === 0 ? (JSON.parse(out) as Capture[]) : null);
    }),
  );
}

const facts = (site: Site, rows: Capture[]) =>
  rows.map((r) => [r.url.replace(site.url, ''), r.status, r.digest, r.outcome, r.reason].join(' '));

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'garner-resume-'));
  for (const f of ['warc', 'scratch']) mkdirSync(join(folder, f));
  return folder;
}

async function checkArchive(folder: string, rows: Capture[]): Promise<void> {
  const responses = new Map<string, number>();
  for (const file of readdirSync(join(folder, 'warc')))
    for await (const r of readRecords(join(folder, 'warc', file))) {
      expect(r.kind).toBe('record');
      if (r.kind === 'record' && r.type === 'response') responses.set(`${file} ${r.offset}`, r.length!);
    }
  const captured = rows.filter((r) => r.warc_file !== null);
  for (const r of captured)
    expect(responses.get(`${r.warc_file!.replace('warc/', '')} ${r.warc_offset}`)).toBe(r.warc_length);
  // What a kill left behind the last known end is gone: no record stands there that no row names.
  expect(responses.size).toBe(captured.length);
}

test('a crawl that is killed again and again ends as one that was not, and asks for nothing twice but what was under way', async () => {
  const site = await bigSite();
  const whole = newFolder();
  const expected = facts(site, (await crawlInChild(whole, recipeFor(site), null))!);
  expect(expected.length).toBeGreaterThan(PAGES);
  const once = site.asked.length;

  site.asked.length = 0;
  const folder = newFolder();
  const moments = [1, 9, 19, 3];
  for (const afterRequests of moments) {
    const rows = await crawlInChild(folder, recipeFor(site), { site, afterRequests });
    expect(rows).toBeNull();
  }
  const rows = await crawlInChild(folder, recipeFor(site), null);
  expect(facts(site, rows!)).toEqual(expected);
  // One request is under way at a time, so each kill costs one at most.
  expect(site.asked.length).toBeLessThanOrEqual(once + moments.length);
  await checkArchive(folder, rows!);

  site.asked.length = 0;
  expect(facts(site, (await crawlInChild(folder, recipeFor(site), null))!)).toEqual(expected);
  expect(site.asked).toEqual([]);
  for (const f of [whole, folder]) rmSync(f, { recursive: true });
});

test('torn tails: of the log, of the archive, and a log that knows more than the archive holds', async () => {
  const site = await bigSite();
  const folder = newFolder();
  const recipe = recipeFor(site);
  const expected = facts(site, (await crawlInChild(folder, recipe, null))!);
  const log = join(folder, 'scratch', 'frontier.log');
  const warc = join(folder, 'warc', 'crawl-00000.warc.gz');

  site.asked.length = 0;
  truncateSync(log, statSync(log).size - 10);
  appendFileSync(warc, Buffer.from([0x1f, 0x8b, 8, 0, 0, 1, 2, 3]));
  let rows = (await crawlInChild(folder, recipe, null))!;
  expect(facts(site, rows)).toEqual(expected);
  expect(site.asked.length).toBe(1);
  await checkArchive(folder, rows);

  site.asked.length = 0;
  truncateSync(warc, statSync(warc).size - 5000);
  rows = (await crawlInChild(folder, recipe, null))!;
  expect(facts(site, rows)).toEqual(expected);
  expect(site.asked.length).toBeGreaterThan(1);
  expect(site.asked.length).toBeLessThan(20);
  await checkArchive(folder, rows);
  rmSync(folder, { recursive: true });
});
