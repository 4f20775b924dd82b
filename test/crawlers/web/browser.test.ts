import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readCapture } from '../../../crawlers/archives/warc.ts';
import { findBrowser } from '../../../crawlers/web/browser-path.ts';
import { cleanUp, page, recipeFor, run, start, verdicts } from './site.ts';

cleanUp();

const chromium = findBrowser();
if (!chromium) console.warn('skipped: no Chromium on this machine');

const scripted = (script: string) =>
  `<!doctype html><html><head><title>app</title></head><body><div id="root"></div><script>${script}</script></body></html>`;
const fill = `document.getElementById('root').innerHTML = '<p>' + 'Filled by a script. '.repeat(40) + '</p><a href="/next">next</a>';`;

test('without a browser a page that only scripts fill is needs_browser, and the crawl goes on', async () => {
  const site = await start({ '/': page('home', '/app', '/plain'), '/app': scripted(fill), '/plain': page('plain') });
  const { rows } = await run(recipeFor(site, { browser: 'auto', sitemaps: false }));
  expect(verdicts(site, rows)).toMatchObject({ '/app': 'needs_browser: javascript', '/plain': 'fetched' });
  expect(rows.find((r) => r.url.endsWith('/app'))!.warc_file).not.toBeNull();
});

test.skipIf(!chromium)('a browser fills it in: what it left is captured, and its links are followed', async () => {
  const secret = await start({ '*': page('secret') });
  const site = await start({
    '/': page('home', '/app', '/loop', '/plain'),
    '/app': scripted(
      `${fill} fetch('/forbidden/data').catch(() => 0); fetch('${secret.url.replace('127.0.0.1', 'localhost')}/x').catch(() => 0); fetch('http://169.254.169.254/latest').catch(() => 0);`,
    ),
    '/loop': scripted('for (;;);'),
    '/plain': page('plain'),
    '/next': page('next'),
    '/forbidden/data': 'no',
    '/robots.txt': (_q, r) =>
      void r.writeHead(200, { 'Content-Type': 'text/plain' }).end('User-agent: *\nDisallow: /forbidden'),
  });
  const { rows, folder, notices } = await run(
    recipeFor(site, { browser: 'auto', sitemaps: false, timeout: 3 }),
    chromium,
  );
  expect(notices).toEqual([]);
  expect(verdicts(site, rows)).toMatchObject({
    '/app': 'fetched',
    '/next': 'fetched',
    '/plain': 'fetched',
    '/loop': 'needs_browser: timeout',
  });
  const row = rows.find((r) => r.url.endsWith('/app'))!;
  const content = await readCapture(join(folder, row.warc_file!), row.warc_offset!, row.warc_length!);
  expect(content).toMatchObject({ ok: true, type: 'conversion', url: row.url });
  expect(content.ok && content.body.toString()).toContain('Filled by a script. Filled by a script.');
  // The guard lets nothing through to an address that is not allowed, nor robots.txt to what it forbids.
  expect(secret.asked).toEqual([]);
  expect(site.asked).not.toContain('/forbidden/data');
  expect(site.asked.filter((p) => p === '/plain').length).toBe(1);
});
