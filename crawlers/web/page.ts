import { Tokenizer, TokenizerMode, type Token } from 'parse5';
import { headerValues, type HttpHead } from '../archives/http-message.ts';
import { normaliseUrl } from './url.ts';

/** What the crawl reads in a page: never its text. */
export interface PageFacts {
  /** Targets of links that may be followed, normalised, each once, in page order. */
  links: string[];
  /** What the page and its server ask not to be done, in a fixed order: noindex, nofollow, noarchive, noai … */
  optOuts: string[];
  licence: string | null;
  /** Characters of text outside scripts and styles, blank space not counted. */
  textLength: number;
  /** Characters inside scripts. */
  scriptLength: number;
  /** An element into which scripts put the page, e.g. `<div id="root">`. */
  mount: boolean;
  /** A noscript text that asks for JavaScript. */
  asksForScript: boolean;
}

/** The product token by which robots rules, tags and headers may speak to garner alone. */
export const AGENT = 'garner';

const MOST_LINKS = 10_000;
// Tables that a page's own words are looked up in are Maps: an object knows `constructor`, and pages have such tags.
const TEXT_MODES = new Map<string, (typeof TokenizerMode)[keyof typeof TokenizerMode]>([
  ['script', TokenizerMode.SCRIPT_DATA],
  ['style', TokenizerMode.RAWTEXT],
  ['xmp', TokenizerMode.RAWTEXT],
  ['iframe', TokenizerMode.RAWTEXT],
  ['noembed', TokenizerMode.RAWTEXT],
  ['noframes', TokenizerMode.RAWTEXT],
  ['textarea', TokenizerMode.RCDATA],
  ['title', TokenizerMode.RCDATA],
]);
const MOUNT = /^(?:root|app|__next|__nuxt|___gatsby|app-root|main-app)$/;
const LICENCE = /^https?:\/\/(?:www\.)?creativecommons\.org\/(?:licenses|publicdomain)\//i;

/** Robots words that stand for others, or that are written in several ways. */
const WORDS = new Map([
  ['none', ['noindex', 'nofollow']],
  ['noindex', ['noindex']],
  ['nofollow', ['nofollow']],
  ['noarchive', ['noarchive']],
  ['nocache', ['noarchive']],
  ['nosnippet', ['nosnippet']],
  ['max-snippet:0', ['nosnippet']],
  ['noai', ['noai']],
  ['noimageai', ['noimageai']],
  ['noml', ['noml']],
  ['notrain', ['notrain']],
]);

/** A robots tag with all words there are is a twentieth of this [code units]. */
const LONGEST_TAG = 4096;

/** The known words of a robots meta tag or header, in its first 4,096 characters; dates and unknown words are passed over. */
export const robotsWords = (content: string): string[] =>
  content
    .slice(0, LONGEST_TAG)
    .toLowerCase()
    .split(',')
    .flatMap((word) => WORDS.get(word.replace(/\s/g, '')) ?? []);

/** Opt-outs in the head of an answer: X-Robots-Tag for everybody or for us, TDM reservation, Content-Usage. */
export function headerOptOuts(headers: HttpHead['headers'], agent: string): string[] {
  const found: string[] = [];
  for (const value of headerValues(headers, 'x-robots-tag').concat(headerValues(headers, 'robots-tag'))) {
    let mine = true;
    for (const part of value.slice(0, LONGEST_TAG).split(/[,;]/)) {
      const named = /^\s*([a-z*][a-z0-9_.*-]{0,60})\s*[:=]\s*(.*)$/is.exec(part);
      const isRule = named && /^(?:max-|unavailable_after)/i.test(named[1]!);
      if (named && !isRule) mine = named[1] === '*' || named[1]!.toLowerCase() === agent;
      if (mine) found.push(...robotsWords(named && !isRule ? named[2]! : part));
    }
  }
  if (headerValues(headers, 'tdm-reservation').some((v) => v.trim() === '1')) found.push('tdm-reservation');
  for (const v of headerValues(headers, 'content-usage').concat(headerValues(headers, 'content-signal')))
    found.push(...usageWords(v));
  return found;
}

/** `train-ai=n`, `ai-train=no` and their like become `ai-train=no`. */
export const usageWords = (text: string): string[] =>
  text
    .toLowerCase()
    .split(',')
    .map((w) => w.replace(/\s/g, ''))
    .some((w) => w === 'train-ai=n' || w === 'ai-train=no' || w === 'ai-train=n')
    ? ['ai-train=no']
    : [];

const ORDER = [
  'noindex',
  'nofollow',
  'noarchive',
  'nosnippet',
  'noai',
  'noimageai',
  'noml',
  'notrain',
  'tdm-reservation',
  'ai-train=no',
];

/** Each word once, in the fixed order of `PageFacts.optOuts`. */
export const sortOptOuts = (words: readonly string[]): string[] => ORDER.filter((w) => words.includes(w));

const attribute = (token: Token.TagToken, name: string) => token.attrs.find((a) => a.name === name)?.value;

/**
 * Reads an HTML page's links, opt-outs and licence from its tokens, in one pass: time and memory linear in the page,
 * whatever its depth. Links marked nofollow, and all links of a page that says nofollow, are left out.
 */
export function readPage(text: string, url: string, head: HttpHead, agent: string): PageFacts {
  const links = new Set<string>();
  const words = headerOptOuts(head.headers, agent);
  let base = url;
  let baseSeen = false;
  let licence: string | null = null;
  let licenceFromHead = false;
  let textLength = 0;
  let scriptLength = 0;
  let mount = false;
  let asksForScript = false;
  let inside = '';
  let inNoscript = false;
  const link = (href: string | undefined, rel: string) => {
    if (href === undefined || links.size >= MOST_LINKS || /(?:^|\s)nofollow(?:\s|$)/i.test(rel)) return;
    const target = normaliseUrl(href.trim(), base);
    if (target) links.add(target);
  };
  const onTag = (token: Token.TagToken) => {
    const name = token.tagName;
    const rel = attribute(token, 'rel') ?? '';
    const href = attribute(token, 'href');
    if (name === 'base' && !baseSeen && href !== undefined) {
      baseSeen = true;
      base = normaliseUrl(href, url) ?? url;
    } else if (name === 'a' || name === 'area') link(href, rel);
    else if (name === 'frame' || name === 'iframe') link(attribute(token, 'src'), '');
    else if (name === 'link' && /(?:^|\s)(?:alternate|next|prev|canonical)(?:\s|$)/i.test(rel)) {
      if (!/(?:stylesheet|rss|atom|json|oembed)/i.test(`${rel} ${attribute(token, 'type') ?? ''}`)) link(href, rel);
    } else if (name === 'meta') {
      const key = (
        attribute(token, 'name') ??
        attribute(token, 'property') ??
        attribute(token, 'http-equiv') ??
        ''
      ).toLowerCase();
      const content = attribute(token, 'content') ?? '';
      if (key === 'robots' || key === agent || key === 'x-robots-tag') words.push(...robotsWords(content));
      else if (key === 'tdm-reservation' && content.trim() === '1') words.push('tdm-reservation');
      else if (key === 'content-usage' || key === 'content-signal') words.push(...usageWords(content));
      else if (key === 'refresh')
        link(/^\s*\d{0,9}(?:\.\d{0,9})?\s*[;,]\s*url\s*=\s*["']?([^"']{1,2000})/i.exec(content)?.[1], '');
    }
    if (/(?:^|\s)license(?:\s|$)/i.test(rel) && href !== undefined && !licenceFromHead) {
      const target = normaliseUrl(href, base);
      if (target && (licence === null || name === 'link')) licence = target;
      licenceFromHead = name === 'link';
    } else if (licence === null && name === 'a' && href !== undefined && LICENCE.test(href)) {
      licence = normaliseUrl(href, base);
    }
    if (MOUNT.test(attribute(token, 'id') ?? '') || name === 'app-root') mount = true;
    if (name === 'noscript') inNoscript = true;
    const mode = TEXT_MODES.get(name);
    if (mode !== undefined) {
      tokenizer.state = mode;
      inside = name;
    }
  };
  const tokenizer = new Tokenizer(
    {},
    {
      onStartTag: onTag,
      onEndTag(token) {
        if (token.tagName === inside) inside = '';
        if (token.tagName === 'noscript') inNoscript = false;
      },
      onCharacter(token) {
        if (inside === 'script') scriptLength += token.chars.length;
        else if (inNoscript) asksForScript ||= /java\s?script|启用|开启/i.test(token.chars);
        else if (inside === '') textLength += token.chars.length;
      },
      onWhitespaceCharacter() {},
      onNullCharacter() {},
      onComment() {},
      onDoctype() {},
      onEof() {},
    },
  );
  tokenizer.write(text, true);
  for (const value of headerValues(head.headers, 'link')) {
    const found = /<([^>]{1,2000})>\s*;[^,]{0,400}\brel="?license"?/i.exec(value.slice(0, 8192));
    if (found && !licence) licence = normaliseUrl(found[1]!, url);
  }
  const optOuts = sortOptOuts(words);
  return {
    links: optOuts.includes('nofollow') ? [] : [...links],
    optOuts,
    licence,
    textLength,
    scriptLength,
    mount,
    asksForScript,
  };
}

/** A page whose text only its scripts bring: hardly any text, and a place or a plea for scripts, or scripts in plenty. */
export function needsBrowser(facts: PageFacts): boolean {
  if (facts.textLength >= 200) return false;
  return facts.mount || facts.asksForScript || (facts.scriptLength > 200 && facts.scriptLength > 3 * facts.textLength);
}

/** Characters good enough to find links: the charset that the server or the page states, else UTF-8. */
export function decodeForLinks(body: Buffer, charset: string | null): string {
  const stated =
    charset ??
    /<meta[^>]{0,200}charset\s{0,9}=\s{0,9}["']?([a-z0-9_:-]{2,40})/i.exec(body.toString('latin1', 0, 4096))?.[1];
  try {
    return new TextDecoder(stated ?? 'utf-8').decode(body);
  } catch {
    return body.toString('utf8');
  }
}
