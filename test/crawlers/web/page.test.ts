import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { headerOptOuts, needsBrowser, readPage, robotsWords } from '../../../crawlers/web/page.ts';
import { readSitemap } from '../../../crawlers/web/sitemap.ts';
import { sharedData } from '../../shared.ts';

const read = (html: string, headers: [string, string][] = []) =>
  readPage(html, 'http://e.org/dir/page', { status: 200, line: '', headers, bodyStart: 0 }, 'garner');

test('links: base, entities, frames, hints of the head; not what is text, commented out or nofollow', () => {
  const { links } =
    read(`<base href="/b/"><a href="x?a=1&amp;b=2#f">1</a><A HREF = 'Y'>2</A><a href=z rel="nofollow ugc">3</a>
    <!-- <a href="/comment">no</a> --><script>var s = '<a href="/script">no</a>'</script><textarea><a href="/area">no</a></textarea>
    <area href="/map"><iframe src="/frame"></iframe><link rel="next" href="2"><link rel="stylesheet" href="s.css">
    <link rel="alternate" type="application/rss+xml" href="/feed"><link rel="alternate" hreflang="zh" href="/zh">
    <a href="mailto:a@b.c">m</a><a href="javascript:x()">j</a><a href="http://[">b</a><a href="  /space ">s</a><a name="n">n</a>
    <meta http-equiv="refresh" content="5; URL='/later'">`);
  expect(links).toEqual(
    ['/b/x?a=1&b=2', '/b/Y', '/map', '/frame', '/b/2', '/zh', '/space', '/later'].map((p) => `http://e.org${p}`),
  );
});

test('a page that says nofollow gives no links', () => {
  expect(read('<meta name=ROBOTS content="NoFollow"><a href="/x">x</a>')).toMatchObject({
    links: [],
    optOuts: ['nofollow'],
  });
});

test.each([
  ['noindex, nofollow', ['noindex', 'nofollow']],
  ['NONE', ['noindex', 'nofollow']],
  ['all', []],
  ['max-snippet: 0', ['nosnippet']],
  ['max-snippet:20, noai', ['noai']],
  ['unavailable_after: Thu, 01 Jan 2026 00:00:00 GMT, noarchive', ['noarchive']],
])('robots words of "%s"', (content, words) => expect(robotsWords(content)).toEqual(words));

test.each([
  [[['X-Robots-Tag', 'noindex']], ['noindex']],
  [[['x-robots-tag', 'otherbot: noindex, nofollow']], []],
  [[['x-robots-tag', 'otherbot: noindex, garner: noarchive, nosnippet']], ['noarchive', 'nosnippet']],
  [[['x-robots-tag', 'unavailable_after: Thu, 01 Jan 2026 00:00:00 GMT, noai']], ['noai']],
  [[['TDM-Reservation', '1']], ['tdm-reservation']],
  [[['tdm-reservation', '0']], []],
  [[['Content-Usage', 'search=y, train-ai=n']], ['ai-train=no']],
  [[['Content-Signal', 'ai-train=yes']], []],
] as [[string, string][], string[]][])('opt-outs of headers %j', (headers, words) =>
  expect(headerOptOuts(headers, 'garner')).toEqual(words),
);

test('licence: of the head before one of the body, a Creative Commons link without rel, the Link header', () => {
  const by = 'https://creativecommons.org/licenses/by/4.0/';
  expect(read(`<a rel="license" href="/body">b</a><link rel="license" href="${by}">`).licence).toBe(by);
  expect(read(`<a href="${by}">CC BY</a>`).licence).toBe(by);
  expect(read('<p>x</p>', [['Link', `</style.css>; rel=preload, <${by}>; rel="license"`]]).licence).toBe(by);
  expect(read('<p>all rights reserved</p>').licence).toBeNull();
});

test.each([
  ['<div id="root"></div><script src="app.js"></script>', true],
  ['<noscript>You need to enable JavaScript to run this app.</noscript>', true],
  [`<p>short</p><script>${'x'.repeat(1000)}</script>`, true],
  [
    `<div id="root">${'Text of a page that its server made. '.repeat(10)}</div><script>${'x'.repeat(9000)}</script>`,
    false,
  ],
  ['<p>A short page without scripts.</p>', false],
])('%s needs a browser: %s', (html, needs) => expect(needsBrowser(read(html))).toBe(needs));

test('tags and words that are names of JavaScript objects are unknown tags and words', () => {
  const facts = read('<p><constructor><a href=/x>x</a><meta name=robots content="constructor, noai">');
  expect(facts).toMatchObject({ links: ['http://e.org/x'], optOuts: ['noai'] });
});

test('hostile pages: deep, large, with a million attributes: linear time', () => {
  const started = performance.now();
  expect(read('<div>'.repeat(200_000) + '<a href="/deep">x</a>').links).toEqual(['http://e.org/deep']);
  read(`<a ${'b=c '.repeat(100_000)} href="/x">`.slice(0, 400_000));
  read('<'.repeat(1_000_000));
  read('<!--'.repeat(300_000));
  expect(read(`<meta name=robots content="${'noai,'.repeat(500_000)}">`).optOuts).toEqual(['noai']);
  expect(read(Array.from({ length: 20_000 }, (_, i) => `<a href="/${i}">`).join('')).links.length).toBe(10_000);
  expect(performance.now() - started).toBeLessThan(5000);
});

const folder = sharedData('url/sitemaps');
test.skipIf(!folder).each([
  ['sitemap.xml', 84, 0],
  ['sitemap.xml.gz', 84, 0],
  ['sitemap2.xml', 0, 2],
  ['feed1.atom', 1, 0],
  ['feed2.rss', 1, 0],
  ['feed.json', 25, 0],
])('%s: %d pages, %d maps', (name, pages, maps) => {
  const content = readSitemap(readFileSync(join(folder!, name)), 'http://www.sitemaps.org/x.xml');
  expect([content.pages.length, content.maps.length]).toEqual([pages, maps]);
});

test.skipIf(!folder)('hreflang alternates are pages too', () => {
  const { pages } = readSitemap(readFileSync(join(folder!, 'sitemap-hreflang.xml')), 'http://www.example.com/s.xml');
  expect(pages).toEqual(expect.arrayContaining(['http://www.example.com/english/page.html']));
  expect(pages.length).toBeGreaterThanOrEqual(3);
});

test('sitemaps in every other way: text, wrong namespace, bare ampersand, cut, HTML, entity bomb, gzip bomb', () => {
  const read = (text: string | Buffer) => readSitemap(Buffer.from(text as string), 'http://e.org/sitemap.xml').pages;
  expect(read('http://e.org/1\nhttp://e.org/2\r\n\nnonsense\u0000')).toEqual(['http://e.org/1', 'http://e.org/2']);
  expect(read('<s:urlset xmlns:s="x"><s:url><s:loc>http://e.org/?a=1&b=2</s:loc></s:url></s:urlset>')).toEqual([
    'http://e.org/?a=1&b=2',
  ]);
  expect(read('<urlset><url><loc><![CDATA[http://e.org/c]]></loc></url><url><loc>http://e.org/')).toEqual([
    'http://e.org/c',
  ]);
  expect(read('<html><body><a href="/x">x</a></body></html>')).toEqual([]);
  const bomb = `<!DOCTYPE u [<!ENTITY a "${'x'.repeat(100)}"><!ENTITY b "${'&a;'.repeat(100)}">]><urlset><url><loc>&b;</loc></url></urlset>`;
  expect(read(bomb).length).toBeLessThanOrEqual(1);
  expect(read(gzipSync(Buffer.alloc(80_000_000)))).toEqual([]);
  expect(read('')).toEqual([]);
});
