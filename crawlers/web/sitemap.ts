import { gunzipSync } from 'node:zlib';
import { SaxesParser } from 'saxes';
import { normaliseUrl } from './url.ts';

export interface SitemapContent {
  /** Pages it names, normalised, each once, in file order. */
  pages: string[];
  /** Further sitemaps. */
  maps: string[];
}

/** The protocol's own limits (sitemaps.org): what stands beyond is not read. */
const MOST_URLS = 50_000;
const LARGEST = 52_428_800;

/**
 * Reads a sitemap, a sitemap index, an Atom, RSS or JSON feed, or one absolute URL a line; gzip is told by its bytes. Names count without
 * their namespace, since many get it wrong. Broken XML gives what stood before the break; HTML gives nothing.
 */
export function readSitemap(data: Buffer, url: string): SitemapContent {
  let bytes = data;
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) {
    try {
      bytes = gunzipSync(bytes, { maxOutputLength: Math.min(LARGEST, Math.max(1 << 20, bytes.length * 200)) });
    } catch {
      return { pages: [], maps: [] };
    }
  }
  const text = bytes
    .toString('utf8', 0, LARGEST)
    .replace(/^\uFEFF/, '')
    .trimStart();
  if (text.startsWith('<'))
    return /^<(?:!doctype html|html)/i.test(text) ? { pages: [], maps: [] } : readXml(text, url);
  if (text.startsWith('{')) return { pages: collect(feedItems(text), url), maps: [] };
  const lines = text.split(/\r?\n/, MOST_URLS).filter((line) => /^https?:\/\//i.test(line));
  return { pages: collect(lines, url), maps: [] };
}

/** The pages of a JSON Feed. */
function feedItems(text: string): string[] {
  try {
    const { items } = Object(JSON.parse(text)) as { items?: unknown };
    const urls = Array.isArray(items)
      ? items.slice(0, MOST_URLS).map((item) => (Object(item) as { url?: unknown }).url)
      : [];
    return urls.filter((u) => typeof u === 'string');
  } catch {
    return [];
  }
}

const collect = (texts: string[], url: string) => [
  ...new Set(texts.flatMap((t) => (t.trim() === '' ? [] : (normaliseUrl(t.trim(), url) ?? [])))),
];

function readXml(text: string, url: string): SitemapContent {
  const pages: string[] = [];
  const maps: string[] = [];
  const parser = new SaxesParser({ xmlns: false });
  const open: string[] = [];
  let value = '';
  let stop = false;
  const local = (name: string) => name.slice(name.indexOf(':') + 1).toLowerCase();
  parser.on('error', () => {
    stop = true;
  });
  parser.on('opentag', (tag) => {
    if (open.length > 200) stop = true;
    open.push(local(tag.name));
    value = '';
    const href = tag.attributes['href'];
    if (local(tag.name) !== 'link' || href === undefined) return;
    const rel = tag.attributes['rel'] ?? 'alternate';
    if (rel === 'alternate' && (open.includes('entry') || open.includes('url'))) pages.push(href);
  });
  const take = (chars: string) => {
    if (value.length < 4096) value += chars;
  };
  parser.on('text', take);
  parser.on('cdata', take);
  parser.on('closetag', (tag) => {
    const name = local(tag.name);
    open.pop();
    const parent = open.at(-1);
    if (name === 'loc' && parent === 'url') pages.push(value);
    else if (name === 'loc' && parent === 'sitemap') maps.push(value);
    else if (name === 'link' && parent === 'item' && value.trim() !== '') pages.push(value);
  });
  // A bare ampersand is the commonest fault of sitemaps: it is read as one.
  const mended = text.replace(/&(?!#?[a-z0-9]{1,10};)/gi, '&amp;');
  for (let at = 0; at < mended.length && !stop && pages.length < MOST_URLS && maps.length < MOST_URLS; at += 1 << 16)
    parser.write(mended.slice(at, at + (1 << 16)));
  return { pages: collect(pages.slice(0, MOST_URLS), url), maps: collect(maps.slice(0, MOST_URLS), url) };
}
