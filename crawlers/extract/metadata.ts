import { headerValues, type HttpHead } from '../archives/http-message.ts';
import { AGENT, headerOptOuts, robotsWords, sortOptOuts, usageWords } from '../web/page.ts';
import type { PageContext } from './features.ts';
import { ARTICLE, isType, jsonLd, nameOf, type Thing } from './json-ld.ts';
import { attribute, elementsOf, textOf, type Tree } from './tree.ts';

export interface Metadata {
  title: string | null;
  author: string | null;
  /** ISO 8601: a date, or a date with time as stated. */
  published: string | null;
  /** BCP 47, as the page states it; templates often lie. */
  language: string | null;
  licence: string | null;
  canonical: string | null;
  /** What page and server ask not to be done: noindex, noai, notrain … in a fixed order. */
  optOuts: string[];
  site: string | null;
  modified: string | null;
  description: string | null;
  /** Open Graph's or JSON-LD's type, e.g. `article`. */
  kind: string | null;
  /** Text of the article in JSON-LD, or ''. */
  articleBody: string;
  /** Open Graph's type or JSON-LD says article, and nothing says forum. */
  isArticle: boolean;
  /** Open Graph, viewport, JSON-LD: how many of them the page has. */
  modern: number;
}

/** What the HTTP answer says beside the page. */
export interface PageHints {
  url?: string | null | undefined;
  headers?: HttpHead['headers'] | undefined;
}

/** The part of it that the choice of main text looks at. */
export const contextOf = (m: Metadata): PageContext => ({
  title: m.title ?? '',
  description: m.description ?? '',
  articleBody: m.articleBody,
  isArticle: m.isArticle,
  modern: m.modern,
});

interface Facts {
  meta: Map<string, string[]>;
  links: { rel: string; href: string }[];
  h1: string[];
  headTitle: string;
  lang: string;
  authors: string[];
  times: string[];
  licences: string[];
  things: Thing[];
}

/** Title, author, date, language, licence, canonical address and opt-outs of a page. Each candidate must pass its check, else the next one is asked. */
export function metadataOf(document: Tree.Document, hints: PageHints = {}): Metadata {
  const f = gather(document);
  const article = f.things.find((t) => isType(t, ARTICLE)) ?? {};
  const meta = (...names: string[]) => {
    for (const name of names) for (const value of f.meta.get(name) ?? []) if (value !== '') return value;
    return '';
  };
  const site = clean(
    meta('og:site_name', 'application-name') ||
      nameOf(article['publisher']) ||
      nameOf(f.things.find((t) => isType(t, /WebSite$/))?.['name']),
    100,
  );
  return {
    title: titleOf(f, article, meta, site),
    author: authorOf(f, article, meta),
    published: firstDate([
      meta(
        'article:published_time',
        'datepublished',
        'citation_publication_date',
        'citation_date',
        'dc.date.issued',
        'dcterms.issued',
        'dc.date.created',
        'dcterms.created',
        'parsely-pub-date',
        'sailthru.date',
        'pubdate',
        'publishdate',
        'publish-date',
        'pubtime',
        '_pubtime',
        'apub:time',
        'og:published_time',
        'bt:pubdate',
        'dc.date',
        'dcterms.date',
        'date',
        'og:release_date',
        'weibo: article:create_at',
      ),
      nameOf(article['datePublished']),
      nameOf(article['dateCreated']),
      ...f.times,
    ]),
    modified: firstDate([
      meta('article:modified_time', 'og:updated_time', 'datemodified', 'dcterms.modified', 'last-modified'),
      nameOf(article['dateModified']),
    ]),
    language:
      languageOf(f.lang) ??
      languageOf(meta('content-language', 'language', 'dc.language', 'dcterms.language')) ??
      languageOf(meta('og:locale')) ??
      languageOf(nameOf(article['inLanguage'])) ??
      languageOf(headerValues(hints.headers ?? [], 'content-language')[0] ?? ''),
    licence: licenceOf(f, article, meta),
    canonical: canonicalOf(f, meta, hints.url),
    optOuts: optOutsOf(f, hints.headers ?? []),
    site: site || null,
    description: clean(meta('og:description', 'description', 'twitter:description', 'dc.description'), 1000) || null,
    kind: meta('og:type') || (typeof article['@type'] === 'string' ? article['@type'] : null),
    articleBody: bodyOf(f, article),
    isArticle:
      (/article/i.test(meta('og:type')) || isType(article, /Article$|BlogPosting$|Report$/)) &&
      !f.things.some((t) => isType(t, FORUM)),
    modern:
      Number([...f.meta.keys()].some((k) => k.startsWith('og:'))) +
      Number(f.meta.has('viewport')) +
      Number(f.things.length > 0),
  };
}

function gather(document: Tree.Document): Facts {
  const f: Facts = {
    meta: new Map(),
    links: [],
    h1: [],
    headTitle: '',
    lang: '',
    authors: [],
    times: [],
    licences: [],
    things: [],
  };
  const scripts: Tree.Element[] = [];
  for (const e of elementsOf(document)) {
    switch (e.tagName) {
      case 'html':
        f.lang = attribute(e, 'lang') || attribute(e, 'xml:lang');
        break;
      case 'meta': {
        const value = clean(attribute(e, 'content'), 2000);
        for (const key of ['property', 'name', 'http-equiv', 'itemprop']) {
          const name = attribute(e, key).toLowerCase().trim();
          if (name === '') continue;
          for (const one of key === 'property' ? name.split(/\s+/) : [name])
            f.meta.set(one, [...(f.meta.get(one) ?? []).slice(0, 30), value]);
        }
        break;
      }
      case 'link':
      case 'a': {
        const rel = attribute(e, 'rel').toLowerCase();
        const href = attribute(e, 'href');
        if (e.tagName === 'link') f.links.push({ rel, href });
        if (/\blicen[cs]e\b/.test(rel) || /creativecommons\.org\/(?:licenses|publicdomain)\//.test(href))
          f.licences.push(href);
        if (/\bauthor\b/.test(rel) && e.tagName === 'a' && f.authors.length < 10)
          f.authors.push(clean(textOf(e, 300), 120));
        break;
      }
      case 'title':
        if (f.headTitle === '' && e.namespaceURI === 'http://www.w3.org/1999/xhtml')
          f.headTitle = clean(textOf(e, 2000), 1000);
        break;
      case 'h1':
        if (f.h1.length < 5) f.h1.push(clean(textOf(e, 2000), 400));
        break;
      case 'script':
        scripts.push(e);
        break;
      case 'time':
        if (f.times.length < 5 && attribute(e, 'datetime')) f.times.push(attribute(e, 'datetime'));
        break;
      default:
    }
    const prop = attribute(e, 'itemprop');
    if (prop === 'datePublished' && f.times.length < 5)
      f.times.unshift(attribute(e, 'datetime') || attribute(e, 'content') || textOf(e, 60));
    if (
      f.authors.length < 10 &&
      (prop === 'author' ||
        /(?:^|[\s_-])(?:byline|author|byline-name|author-name|zuozhe)(?:[\s_-]name)?(?:$|\s)/i.test(
          attribute(e, 'class'),
        ))
    ) {
      const text = clean(textOf(e, 300), 200);
      if (text.length < 120) f.authors.push(text);
    }
  }
  f.things = jsonLd(scripts);
  return f;
}

const FORUM = /DiscussionForumPosting$|QAPage$/;

type Meta = (...names: string[]) => string;

/** Collapsed white space, at most `limit` code units, no broken surrogates. */
function clean(text: string, limit: number): string {
  return text
    .slice(0, limit * 2)
    .replace(/[\s\u0000-\u001F\u007F-\u009F]+/g, ' ')
    .trim()
    .slice(0, limit)
    .toWellFormed();
}

const alike = (a: string, b: string): boolean => {
  const bare = (t: string) => t.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, '');
  return bare(a) === bare(b) && bare(a) !== '';
};

function titleOf(f: Facts, article: Thing, meta: Meta, site: string): string | null {
  const stated = [
    nameOf(article['headline']),
    meta('og:title', 'citation_title', 'twitter:title', 'dc.title', 'dcterms.title'),
  ].map((t) => withoutSite(clean(t, 300), site, f.h1));
  const single = f.h1.filter((t) => t !== '');
  const candidates = [
    ...stated,
    single.length === 1 ? single[0]! : '',
    withoutSite(f.headTitle, site, f.h1),
    ...single,
  ];
  const good = candidates.filter((t) => t.length >= 2 && t.length <= 300 && !alike(t, site));
  const agreed = good.find((t, i) => good.some((u, j) => i !== j && alike(t, u)));
  return agreed ?? good[0] ?? (f.headTitle.slice(0, 300) || null);
}

/** Cuts a site's name from a title: ` | BBC`, `_人民网`. Of the parts the one that is also a heading, else the first long one. */
function withoutSite(title: string, site: string, headings: readonly string[]): string {
  const parts = title
    .split(/\s[|–—·•«»\\~/-]\s|\s?[|｜]\s?|(?<=\p{sc=Han})[_-](?=[\p{sc=Han}])/u)
    .map((p) => p.trim())
    .filter((p) => p !== '');
  if (parts.length < 2 || headings.some((h) => alike(h, title))) return title;
  const heading = parts.find((p) => headings.some((h) => alike(h, p)));
  if (heading) return heading;
  const known = parts.findIndex((p) => site !== '' && alike(p, site));
  if (known === parts.length - 1)
    return title.slice(0, title.lastIndexOf(parts.at(-1)!)).replace(/[\s|｜–—·•«»\\~/_-]+$/, '');
  if (known === 0) return title.slice(title.indexOf(parts[0]!) + parts[0]!.length).replace(/^[\s|｜–—·•«»\\~/_-]+/, '');
  return parts[0]!.length >= 12 || /\p{sc=Han}{5}/u.test(parts[0]!) ? parts[0]! : title;
}

function authorOf(f: Facts, article: Thing, meta: Meta): string | null {
  const candidates = [
    nameOf(article['author']),
    (f.meta.get('citation_author') ?? []).join(', '),
    meta('author', 'article:author', 'parsely-author', 'sailthru.author', 'dc.creator', 'dcterms.creator', 'byl'),
    ...f.authors,
  ];
  for (const raw of candidates) {
    const name = clean(raw, 300)
      .replace(/^(?:by|von|par|por|da|written by|作者|记者|文)[\s:：/]+/i, '')
      .replace(/\s*[|•·].{0,200}$/, '')
      .trim();
    if (
      name.length < 2 ||
      name.length > 120 ||
      /https?:|@|www\.|\d{3}/.test(name) ||
      !/\p{L}{2}|\p{sc=Han}/u.test(name)
    )
      continue;
    return name;
  }
  return null;
}

function firstDate(candidates: readonly string[]): string | null {
  for (const c of candidates) {
    const date = isoDate(c);
    if (date) return date;
  }
  return null;
}

/** A stated date → ISO 8601, or null: `2024-05-01T10:00:00Z`, `2024/5/1 10:00`, `20240501`, `2024年5月1日`, `May 1, 2024`, `1 May 2024`. */
export function isoDate(text: string): string | null {
  const t = text.trim().slice(0, 60);
  const part = (y: string, m: string, d: string) => {
    const [year, month, day] = [Number(y), Number(m), Number(d)];
    if (year < 1990 || year > 2100 || month < 1 || month > 12 || day < 1 || day > 31) return null;
    return `${y}-${String(month).padStart(2, '0')}-${String(day).padStart(2, '0')}`;
  };
  const numbers =
    /^(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?(?:[T\s]+(\d{1,2}:\d{2}(?::\d{2})?)(?:\.\d{1,9})?\s?(Z|[+-]\d{2}:?\d{2})?)?/.exec(
      t,
    ) ?? /^(\d{4})(\d{2})(\d{2})(?!\d)/.exec(t);
  if (numbers) {
    const date = part(numbers[1]!, numbers[2]!, numbers[3]!);
    if (!date || !numbers[4]) return date;
    const zone = numbers[5] ? numbers[5].replace(/^([+-]\d\d):?(\d\d)$/, '$1:$2') : '';
    return `${date}T${numbers[4].padStart(5, '0')}${zone}`;
  }
  const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
  const words = /\b(\d{1,2})(?:st|nd|rd|th)?\.?\s([a-z]{3})[a-z]{0,6}\.?,?\s(\d{4})/i.exec(t);
  if (words) return part(words[3]!, String(months.indexOf(words[2]!.toLowerCase()) + 1), words[1]!);
  const american = /\b([a-z]{3})[a-z]{0,6}\.?\s(\d{1,2})(?:st|nd|rd|th)?,?\s(\d{4})/i.exec(t);
  return american ? part(american[3]!, String(months.indexOf(american[1]!.toLowerCase()) + 1), american[2]!) : null;
}

function languageOf(stated: string): string | null {
  const tag = stated
    .split(/[,;\s]/)[0]!
    .trim()
    .replaceAll('_', '-');
  if (!/^[a-z]{2,3}(?:-[a-z0-9]{2,8}){0,3}$/i.test(tag)) return null;
  try {
    return Intl.getCanonicalLocales(tag)[0] ?? null;
  } catch {
    return null;
  }
}

function licenceOf(f: Facts, article: Thing, meta: Meta): string | null {
  const link = f.links.find((l) => /\blicen[cs]e\b/.test(l.rel))?.href;
  const candidates = [
    link,
    nameOf(article['license']),
    meta('dcterms.license', 'dc.rights', 'dcterms.rights', 'license'),
    ...f.licences,
  ];
  for (const c of candidates) {
    const value = clean(c ?? '', 300);
    if (/^(?:https?:)?\/\/[^\s]+$/.test(value)) return value.startsWith('//') ? `https:${value}` : value;
  }
  return null;
}

function canonicalOf(f: Facts, meta: Meta, url: string | null | undefined): string | null {
  for (const candidate of [f.links.find((l) => /\bcanonical\b/.test(l.rel))?.href, meta('og:url')]) {
    if (!candidate) continue;
    try {
      const full = new URL(candidate, url ?? undefined);
      if (full.protocol === 'http:' || full.protocol === 'https:') return full.href;
    } catch {
      continue;
    }
  }
  return null;
}

function optOutsOf(f: Facts, headers: HttpHead['headers']): string[] {
  const all = (name: string) => f.meta.get(name) ?? [];
  const words = headerOptOuts(headers, AGENT);
  for (const name of ['robots', AGENT, 'x-robots-tag']) words.push(...all(name).flatMap(robotsWords));
  if (all('tdm-reservation').some((v) => v.trim() === '1')) words.push('tdm-reservation');
  for (const name of ['content-usage', 'content-signal']) words.push(...all(name).flatMap(usageWords));
  return sortOptOuts(words);
}

function bodyOf(f: Facts, article: Thing): string {
  const own = [article['articleBody'], article['text']].find((t) => typeof t === 'string');
  const body = own ?? f.things.map((t) => t['articleBody']).find((t) => typeof t === 'string');
  return typeof body === 'string' ? body.slice(0, 1 << 20) : '';
}
