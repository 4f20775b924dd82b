import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import iconv from 'iconv-lite';
import { expect, test } from 'vitest';
import { field, readCapture, readRecords } from '../../../crawlers/archives/warc.ts';
import { cleanUp, page, recipeFor, run, start, verdicts, type Answer, type Site } from './site.ts';

cleanUp();

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

const text =
  (body: string, status = 200, headers: Record<string, string> = {}): Answer =>
  (_request, response) =>
    void response.writeHead(status, { 'Content-Type': 'text/html; charset=utf-8', ...headers }).end(body);
const to =
  (location: string, status = 302): Answer =>
  (_request, response) =>
    void response.writeHead(status, { Location: location }).end();
const noSitemap = { sitemaps: false };

test('redirects: followed one by one, a loop and a chain without end are named', async () => {
  const site = await start({
    '/': page('home', '/old', '/loop/a', '/far', '/self', '/long/0'),
    '/old': to('/newer', 301),
    '/newer': to('/new'),
    '/new': page('new'),
    '/loop/a': to('/loop/b'),
    '/loop/b': to('/loop/a'),
    '/self': to('/self'),
    '/far': to('http://other.example/'),
    '/nowhere': to('http://[bad'),
    ...Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`/long/${i}`, to(`/long/${i + 1}`)])),
  });
  const { rows } = await run(recipeFor(site, { ...noSitemap, redirects: 3 }));
  expect(verdicts(site, rows)).toMatchObject({
    '/old': 'redirected',
    '/newer': 'redirected',
    '/new': 'fetched',
    '/loop/a': 'redirected: redirect_loop',
    '/loop/b': 'redirected: redirect_loop',
    '/self': 'redirected: redirect_loop',
    '/far': 'redirected: redirect_scope',
    '/long/2': 'redirected',
    '/long/3': 'redirected: redirects',
  });
  expect(new Set(site.asked).size).toBe(site.asked.length);
  expect(rows.find((r) => r.url.endsWith('/old'))!.location).toBe(`${site.url}/newer`);
});

test('an endless calendar and endless paths end, whatever answers first', async () => {
  const calendar = /^\/calendar\/(\d{4})\/(\d{1,2})$/;
  const answers: Record<string, Answer | string> = {
    '/': page('home', '/calendar/2026/1', '/deep', '/a'),
    '/a': page('a'),
    '*': (request, response) => {
      const month = calendar.exec(request.url!);
      const links = month
        ? [`/calendar/${Number(month[1]) + 1}/${month[2]}`, `/calendar/${month[1]}/${Number(month[2]) + 1}`]
        : [`${request.url}/x`, `${request.url}/y`];
      setTimeout(
        () => response.writeHead(200, { 'Content-Type': 'text/html' }).end(page('endless', ...links)),
        Math.random() * 3,
      );
    },
    '/robots.txt': text('', 404),
  };
  const recipe = { ...noSitemap, depth: 6, per_calendar: 5, parallel: 4 };
  const [first, second] = [await start(answers), await start(answers)];
  const one = await run(recipeFor(first, recipe));
  const two = await run(recipeFor(second, recipe));
  const seen = verdicts(first, one.rows);
  expect(verdicts(second, two.rows)).toEqual(seen);
  const fetched = Object.entries(seen).filter(([, v]) => v === 'fetched');
  expect(fetched.filter(([url]) => url.startsWith('/calendar/')).length).toBe(5);
  expect(Object.values(seen)).toContain('skipped: calendar');
  expect(Object.values(seen)).toContain('skipped: depth');
  expect(Object.values(seen)).toContain('skipped: trap');
  expect(first.atOnce).toBeGreaterThan(1);
});

test('pages that are too large, stated or not, packed or not, and pages that drip', async () => {
  const large = Buffer.alloc(3_000_000, 'large page ');
  const bomb = gzipSync(Buffer.alloc(50_000_000));
  const site = await start({
    '/': page('home', '/stated', '/chunked', '/bomb', '/drip', '/silent', '/cut', '/fine'),
    '/fine': page('fine'),
    '/stated': (_q, r) =>
      void r.writeHead(200, { 'Content-Type': 'text/html', 'Content-Length': large.length }).end(large),
    '/chunked': (_q, r) => {
      r.writeHead(200, { 'Content-Type': 'text/html' });
      for (let i = 0; i < 10; i++) r.write(large.subarray(0, 300_000));
      r.end();
    },
    '/bomb': (_q, r) => void r.writeHead(200, { 'Content-Type': 'text/html', 'Content-Encoding': 'gzip' }).end(bomb),
    '/drip': (_q, r) => {
      r.writeHead(200, { 'Content-Type': 'text/html' });
      const drip = setInterval(() => r.write('.'), 50);
      r.on('close', () => clearInterval(drip));
    },
    '/silent': () => {},
    '/cut': (_q, r) => {
      r.writeHead(200, { 'Content-Type': 'text/html', 'Content-Length': 1000 });
      r.write('half');
      setTimeout(() => r.destroy(), 20);
    },
  });
  const { rows, folder } = await run(recipeFor(site, { ...noSitemap, max_bytes: 1_000_000, timeout: 1.5 }));
  expect(verdicts(site, rows)).toMatchObject({
    '/stated': 'refused: size',
    '/chunked': 'refused: size',
    '/bomb': 'refused: size',
    '/drip': 'failed: timeout',
    '/silent': 'failed: timeout',
    '/cut': 'failed: disconnect',
    '/fine': 'fetched',
  });
  const truncated: string[] = [];
  for await (const r of readRecords(join(folder, 'warc', 'crawl-00000.warc.gz')))
    if (r.kind === 'record' && field(r, 'WARC-Truncated')) truncated.push(field(r, 'WARC-Truncated')!);
  expect(truncated.toSorted()).toEqual(['disconnect', 'length', 'length', 'time']);
});

test('what came packed and in chunks is kept as it came, and read back plain', async () => {
  const html = page('packed', '/next');
  const gbk = iconv.encode(
    '<html><body><p>下一页在这里。</p><a href="/下一页">下一页</a></body></html>'.padEnd(2000),
    'gbk',
  );
  const site = await start({
    '/': page('home', '/gzip', '/br', '/gbk', '/image', '/unknown'),
    '/gzip': (_q, r) => {
      r.writeHead(200, { 'Content-Type': 'text/html', 'Content-Encoding': 'gzip' });
      const data = gzipSync(html);
      r.write(data.subarray(0, 20));
      r.end(data.subarray(20));
    },
    '/br': (_q, r) =>
      void r.writeHead(200, { 'Content-Type': 'text/html', 'Content-Encoding': 'br' }).end(brotliCompressSync(html)),
    '/gbk': (_q, r) => void r.writeHead(200, { 'Content-Type': 'text/html' }).end(gbk),
    '/image': (_q, r) => void r.writeHead(200, { 'Content-Type': 'image/png' }).end(Buffer.alloc(200_000)),
    '/unknown': (_q, r) => void r.writeHead(200).end('<!doctype html><html><body><p>no type</p></body></html>'),
    '/next': page('next'),
  });
  const { rows, folder } = await run(recipeFor(site, noSitemap));
  expect(verdicts(site, rows)).toMatchObject({
    '/gzip': 'fetched',
    '/br': 'fetched',
    '/gbk': 'fetched',
    '/next': 'fetched',
    '/unknown': 'fetched',
    '/image': 'not_page: media_type',
  });
  for (const [path, body] of [
    ['/gzip', html],
    ['/br', html],
    ['/gbk', gbk],
  ] as const) {
    const row = rows.find((r) => r.url === site.url + path)!;
    const content = await readCapture(join(folder, row.warc_file!), row.warc_offset!, row.warc_length!);
    expect(content).toMatchObject({ ok: true, status: 200, url: row.url, body: Buffer.from(body) });
  }
  const raw = rows.find((r) => r.url.endsWith('/gzip'))!;
  expect(raw.digest).toBe(`sha256:${createHash('sha256').update(gzipSync(html)).digest('hex')}`);
});

test('opt-outs: recorded always, obeyed as the recipe says; links of nofollow are left', async () => {
  const meta = (content: string, ...links: string[]) =>
    page('p', ...links).replace('<head>', `<head><meta name="robots" content="${content}">`);
  const site = await start({
    '/': page('home', '/noindex', '/noai', '/header', '/none', '/other', '/noarchive', '/tdm').replace(
      '</body>',
      '<a rel="license" href="https://creativecommons.org/licenses/by/4.0/">CC</a><a rel="nofollow" href="/never">x</a></body>',
    ),
    '/noindex': meta('NOINDEX, follow', '/from-noindex'),
    '/noai': meta('noai, noimageai'),
    '/none': meta('none', '/never'),
    '/noarchive': meta('noarchive'),
    '/header': text(page('h'), 200, { 'X-Robots-Tag': 'otherbot: noindex' }),
    '/other': text(page('h'), 200, { 'X-Robots-Tag': 'garner: noindex, nofollow' }),
    '/tdm': text(page('t'), 200, { 'tdm-reservation': '1' }),
    '/from-noindex': page('x'),
  });
  const { rows, folder } = await run(recipeFor(site, noSitemap));
  const by = (path: string) => rows.find((r) => r.url === site.url + path)!;
  expect(verdicts(site, rows)).toMatchObject({
    '/noindex': 'refused: noindex',
    '/noai': 'refused: noai',
    '/none': 'refused: noindex',
    '/noarchive': 'refused: noarchive',
    '/header': 'fetched',
    '/other': 'refused: noindex',
    '/tdm': 'refused: tdm-reservation',
    '/from-noindex': 'fetched',
  });
  expect(by('/never')).toBeUndefined();
  expect(by('/none').opt_outs).toEqual(['noindex', 'nofollow']);
  expect(by('/').licence).toBe('https://creativecommons.org/licenses/by/4.0/');
  const kept = by('/noarchive');
  const content = await readCapture(join(folder, kept.warc_file!), kept.warc_offset!, kept.warc_length!);
  expect(content.ok && content.body.length).toBe(0);

  const lenient = await run(recipeFor(site, { ...noSitemap, opt_outs: ['noai'] }));
  expect(verdicts(site, lenient.rows)).toMatchObject({ '/noindex': 'fetched', '/noai': 'refused: noai' });
});

test('a robots.txt that cannot be had forbids everything; one that is not there nothing', async () => {
  const broken = await start({ '/': page('home'), '/robots.txt': text('', 503) });
  expect(verdicts(broken, (await run(recipeFor(broken))).rows)).toEqual({
    '/': 'refused: robots_unreachable',
    '/robots.txt': 'failed: status_503',
  });
  expect(broken.asked).toEqual(['/robots.txt']);
  const absent = await start({ '/': page('home'), '/robots.txt': text('', 403) });
  expect(verdicts(absent, (await run(recipeFor(absent, noSitemap))).rows)['/']).toBe('fetched');
  const moved = await start({
    '/': page('home', '/x'),
    '/robots.txt': to('/elsewhere'),
    '/elsewhere': (_q, r) =>
      void r.writeHead(200, { 'Content-Type': 'text/plain' }).end('User-agent: garner\nDisallow: /x'),
  });
  expect(verdicts(moved, (await run(recipeFor(moved, noSitemap))).rows)).toMatchObject({ '/x': 'refused: robots' });
});

test('one request a host at a time, with the longer of both delays between them', async () => {
  const site = await start({
    '/': page('home', '/a', '/b'),
    '/a': page('a'),
    '/b': page('b'),
    '/robots.txt': (_q, r) =>
      void r.writeHead(200, { 'Content-Type': 'text/plain' }).end('User-agent: *\nCrawl-delay: 0.3'),
  });
  await run(recipeFor(site, { ...noSitemap, delay: 0.1 }));
  expect(site.atOnce).toBe(1);
  // The first pause is the recipe's: the other one is only known after it.
  const gaps = site.times.slice(2).map((t, i) => t - site.times[i + 1]!);
  expect(gaps.length).toBe(2);
  for (const gap of gaps) expect(gap).toBeGreaterThanOrEqual(290);
});

test('a busy server is asked again when it says so', async () => {
  let asked = 0;
  const site = await start({
    '/': page('home', '/busy', '/down'),
    '/busy': (_q, r) =>
      void (asked++ === 0
        ? r.writeHead(429, { 'Retry-After': '1' }).end()
        : r.writeHead(200, { 'Content-Type': 'text/html' }).end(page('b'))),
    '/down': text('', 503, { 'Retry-After': '999999' }),
  });
  const { rows } = await run(recipeFor(site, { ...noSitemap, retries: 2 }));
  expect(verdicts(site, rows)).toMatchObject({ '/busy': 'fetched', '/down': 'failed: status_503' });
  const busy = site.asked.flatMap((p, i) => (p === '/busy' ? [site.times[i]!] : []));
  expect(busy.length).toBe(2);
  expect(busy[1]! - busy[0]!).toBeGreaterThanOrEqual(990);
});

test('sitemaps: named or guessed, an index, packed; their pages are one step from a seed', async () => {
  const xml =
    (body: string): Answer =>
    (_q, r) =>
      void r.writeHead(200, { 'Content-Type': 'application/xml' }).end(body);
  const site: Site = await start({
    '/': page('home'),
    '/robots.txt': (_q, r) =>
      void r
        .writeHead(200, { 'Content-Type': 'text/plain' })
        .end('Sitemap: /maps/index.xml\nUser-agent: *\nDisallow: /secret'),
    '/maps/index.xml': (q, r) =>
      xml(`<sitemapindex><sitemap><loc>http://${q.headers.host}/maps/a.xml.gz</loc></sitemap></sitemapindex>`)(q, r),
    '/maps/a.xml.gz': (q, r) =>
      void r
        .writeHead(200, { 'Content-Type': 'application/gzip' })
        .end(
          gzipSync(
            `<urlset><url><loc>http://${q.headers.host}/hidden?a=1&b=2</loc></url><url><loc>http://${q.headers.host}/secret</loc></url><url><loc>http://other.example/</loc></url></urlset>`,
          ),
        ),
    '/hidden?a=1&b=2': page('hidden'),
  });
  const { rows } = await run(recipeFor(site));
  expect(verdicts(site, rows)).toMatchObject({
    '/maps/index.xml': 'not_page: sitemap',
    '/maps/a.xml.gz': 'not_page: sitemap',
    '/sitemap.xml': 'failed: status_404',
    '/hidden?a=1&b=2': 'fetched',
    '/secret': 'refused: robots',
  });
  expect(rows.find((r) => r.url.includes('hidden'))!.depth).toBe(1);
});

test('scope and limits: patterns, depth, number of pages', async () => {
  const site = await start({
    '/': page('home', '/docs/1', '/docs/2', '/docs/3', '/blog/1', '/docs/x.pdf'),
    '/docs/1': page('1', '/docs/deep'),
    '/docs/2': page('2'),
    '/docs/3': page('3'),
  });
  const { rows } = await run(
    recipeFor(site, { ...noSitemap, depth: 1, max_pages: 3, scope: { include: ['/docs/*'], exclude: ['*.pdf'] } }),
  );
  expect(verdicts(site, rows)).toEqual({
    '/': 'fetched',
    '/robots.txt': 'not_page: robots_txt',
    '/docs/1': 'fetched',
    '/docs/2': 'fetched',
    '/docs/3': 'skipped: max_pages',
    '/docs/deep': 'skipped: depth',
    '/docs/x.pdf': 'skipped: scope',
    '/blog/1': 'skipped: scope',
  });
});

test('the address guard: loopback by number or name, and after a redirect', async () => {
  const site = await start({ '/': to('http://127.0.0.1:1/'), '/x': page('x') });
  const refused = await run(recipeFor(site, { ...noSitemap, allow: [] }));
  expect(verdicts(site, refused.rows)['/']).toBe('refused: address');
  const named = await run(
    recipeFor(site, { ...noSitemap, allow: [], seeds: [site.url.replace('127.0.0.1', 'localhost')] }),
  );
  expect(named.rows.map((r) => r.reason)).toEqual(['address', 'address']);
  expect(site.asked).toEqual([]);
  const port = new URL(site.url).port;
  const later = await run(recipeFor(site, { ...noSitemap, allow: [`127.0.0.1:${port}`] }));
  expect(later.rows.find((r) => r.url === 'http://127.0.0.1:1/')).toMatchObject({
    outcome: 'refused',
    reason: 'address',
  });
});
