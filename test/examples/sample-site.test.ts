import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import iconv from 'iconv-lite';
import { afterAll, expect, test } from 'vitest';
import { sha256 } from '../../core/hash.ts';
import { compiledModule } from '../../core/root.ts';
import { overlap, shingles } from '../../examples/sample-site/jaccard.ts';
import { escapeHtml } from '../../examples/sample-site/parts.ts';
import { buildSite } from '../../examples/sample-site/site.ts';
import type { PageTruth } from '../../examples/sample-site/manifest.ts';
import { detect } from '../../filters/privacy/detect.ts';
import { judge } from '../../filters/rules.ts';
import { toxicity } from '../../filters/safety/toxicity.ts';
import { openTexts } from '../../filters/text.ts';

const HOST = '127.0.0.1:8080';
const site = buildSite(1);
const manifest = site.manifest();
const byPath = new Map(manifest.pages.map((p) => [p.path, p]));
const textOf = (path: string) => byPath.get(path)!.text!;

const folder = mkdtempSync(join(tmpdir(), 'garner-site-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A page as a browser reads it. */
function html(page: PageTruth): string {
  const { body } = site.reply(page.path, HOST)!;
  return page.encoding ? iconv.decode(body, page.encoding.charset) : body.toString('utf8');
}

test('the same seed gives the same site in another process, another seed another one', () => {
  const file = join(folder, 'manifest.json');
  const code = `import(${JSON.stringify(compiledModule('examples/sample-site/site'))}).then(({ buildSite }) =>
    require('node:fs').writeFileSync(${JSON.stringify(file)}, JSON.stringify(buildSite(1).manifest())))`;
  expect(spawnSync(process.execPath, ['-e', code], { encoding: 'utf8' }).stderr).toBe('');
  expect(sha256(readFileSync(file))).toBe(sha256(JSON.stringify(manifest)));
  expect(buildSite(2).manifest().near).not.toEqual(manifest.near);
});

test('about 1,500 pages, Chinese and English in comparable numbers', () => {
  const kept = (language: string) => manifest.pages.filter((p) => p.text && p.language?.startsWith(language)).length;
  expect(manifest.pages.length).toBeGreaterThan(1_450);
  expect(manifest.pages.length).toBeLessThan(1_650);
  expect(kept('zh')).toBeGreaterThan(400);
  expect(kept('en') / kept('zh')).toBeLessThan(1.4);
  expect(new Set(manifest.pages.map((p) => p.path)).size).toBe(manifest.pages.length);
});

test('each page with a text shows all of it, in its own charset', () => {
  const lacking = manifest.pages.filter((p) => {
    if (p.text === null || p.kind === 'javascript') return false;
    const source = html(p);
    return !p.text.split('\n').every((block) => source.includes(escapeHtml(block)));
  });
  expect(lacking.map((p) => p.path)).toEqual([]);
  expect(manifest.pages.every((p) => p.text === null || sha256(p.text) === p.text_sha256)).toBe(true);
});

test('links lead from the front page to every URL of the manifest', () => {
  const seen = new Set(['/']);
  const queue = ['/'];
  for (let path = queue.shift(); path !== undefined; path = queue.shift()) {
    const reply = site.reply(path, HOST);
    if (!reply) continue;
    const links = [...reply.body.toString('latin1').matchAll(/<a href="([^"]+)"/g)].map((m) => m[1]!);
    for (const link of [...links, reply.headers['location'] ?? '/']) {
      if (!link.startsWith('/') || link.startsWith('/calendar/') || seen.has(link)) continue;
      seen.add(link);
      queue.push(link);
    }
  }
  expect(manifest.pages.filter((p) => !seen.has(p.path)).map((p) => p.path)).toEqual([]);
  expect([...seen].filter((path) => !byPath.has(path))).toEqual([]);
});

test('robots.txt and the sitemaps name this host, and no forbidden page', () => {
  const get = (path: string) => site.reply(path, HOST)!.body.toString();
  expect(get('/robots.txt')).toMatch(
    /Disallow: \/private\/\n[\s\S]*Sitemap: http:\/\/127\.0\.0\.1:8080\/sitemap\.xml\n$/,
  );
  const maps = [...get('/sitemap.xml').matchAll(/<loc>http:\/\/127\.0\.0\.1:8080([^<]+)/g)].map((m) => m[1]!);
  const pages = maps.flatMap((m) => [...get(m).matchAll(/<loc>http:\/\/127\.0\.0\.1:8080([^<]+)/g)].map((l) => l[1]!));
  expect(pages.filter((p) => !byPath.has(p))).toEqual([]);
  const absent = manifest.pages.filter((p) => p.expected.outcome === 'fetched' && !pages.includes(p.path));
  expect(absent).toEqual([]);
  expect(pages.some((p) => p.startsWith('/private/'))).toBe(false);
});

test('exact duplicates are exact, half of them in the markup of another section', () => {
  expect(manifest.duplicates).toHaveLength(16);
  for (const { a, b } of manifest.duplicates) {
    expect(textOf(b)).toBe(textOf(a));
    expect(html(byPath.get(b)!)).not.toBe(html(byPath.get(a)!));
  }
  const moved = manifest.duplicates.filter(({ a, b }) => a.split('/')[1] !== b.split('/')[1]);
  expect(moved).toHaveLength(8);
});

test('near-duplicates have the similarity that is stated, at each level in both languages', () => {
  expect(manifest.near).toHaveLength(40);
  for (const pair of manifest.near) {
    const { inter, union } = overlap(shingles(textOf(pair.a)), shingles(textOf(pair.b)));
    expect({ inter, union }).toEqual({ inter: pair.inter, union: pair.union });
    expect(pair.jaccard).toBeGreaterThanOrEqual(pair.level);
    expect(pair.jaccard).toBeLessThan(pair.level + 0.02);
  }
});

test('pages that are alike by nature are declarations, nine pairs of them from 0.8', () => {
  const texts = manifest.natural.filter((p) => byPath.get(p.a)!.kind !== 'spam');
  expect(texts.every((p) => p.a.startsWith('/rights/') && p.b.startsWith('/rights/'))).toBe(true);
  expect(manifest.natural.filter((p) => p.jaccard >= 0.8)).toHaveLength(9);
});

test('every planted value is where the manifest says, and is a valid one', () => {
  const all = manifest.pages.flatMap((p) => p.personal.map((v) => ({ ...v, path: p.path })));
  expect(all.length).toBe(240);
  const lost = all.filter(({ path, type, value }) => {
    const text = textOf(path);
    const at = text.indexOf(value);
    return !detect(text).some((s) => s.type === type && s.start === at && s.end === at + value.length);
  });
  expect(lost).toEqual([]);
  for (const type of ['EMAIL_ADDRESS', 'PHONE_NUMBER', 'CN_MOBILE', 'CREDIT_CARD', 'CN_ID'])
    expect(manifest.counts[type]).toBeGreaterThan(20);
});

test('every abusive page is found by its words, and no page without them', async () => {
  const prepare = await openTexts('spacy');
  const drops = (page: PageTruth) => {
    const text = prepare(page.text!, page.language!);
    return judge(toxicity.rules, toxicity.measure(text), text.language).some((v) => !v.keep);
  };
  const abusive = manifest.pages.filter((p) => p.kind === 'toxic');
  expect(abusive).toHaveLength(16);
  expect(abusive.filter((p) => !drops(p)).map((p) => p.path)).toEqual([]);
  const clean = manifest.pages.filter((p, i) => ['chapter', 'speech'].includes(p.kind) && i % 5 === 0);
  expect(clean.length).toBeGreaterThan(100);
  expect(clean.filter(drops).map((p) => p.path)).toEqual([]);
});

test('pages without a declared charset declare none, the others in the header or the page', () => {
  const encoded = manifest.pages.filter((p) => p.encoding);
  expect(encoded.map((p) => `${p.encoding!.charset} ${p.encoding!.declared}`).toSorted()).toEqual([
    'gbk header',
    'gbk meta',
    'gbk nowhere',
    'windows-1252 header',
    'windows-1252 meta',
    'windows-1252 nowhere',
  ]);
  for (const page of encoded) {
    const { headers, body } = site.reply(page.path, HOST)!;
    expect(/charset/.test(headers['content-type']!)).toBe(page.encoding!.declared === 'header');
    expect(/<meta charset/.test(body.toString('latin1'))).toBe(page.encoding!.declared === 'meta');
    expect(() => new TextDecoder('utf-8', { fatal: true }).decode(body)).toThrow(TypeError);
  }
});

test('only a script has the text of the page for browsers', () => {
  const page = manifest.pages.find((p) => p.kind === 'javascript')!;
  const source = html(page).replace(/<script>[\s\S]*?<\/script>/, '');
  expect(source).not.toContain(page.text!.slice(0, 40));
  expect(page.expected.outcome).toBe('needs_browser');
});
