import iconv from 'iconv-lite';
import { chineseModernPages, chineseNovelPages } from './chinese.ts';
import { novelPages, speechPages } from './english.ts';
import { aboutPages, homePage, robotsTxt, sectionListings, sitemaps, type Listing } from './listings.ts';
import { articleTruth, bareTruth, manifestOf, type Manifest, type PageTruth } from './manifest.ts';
import type { Around, Link } from './parts.ts';
import { plant } from './plants.ts';
import { randomFrom } from './random.ts';
import { renderArticle } from './templates.ts';
import { calendarPage, encodedHeaders, javascriptPage, traps, type Trap } from './traps.ts';
import { SECTIONS, type Article, type Encoding, type Expected, type Reply, type Section } from './types.ts';
import { declarationPages } from './udhr.ts';

/** About 1,500 pages in memory: what each address answers, and what is true of it. */
export interface Site {
  seed: number;
  /** The answer to a path; `host` (name and port) stands in robots.txt and the sitemaps. Null: not found. */
  reply(path: string, host: string): Reply | null;
  /** Made when it is first asked for. */
  manifest(): Manifest;
}

const sites = new Map<number, Site>();

/** Builds the site of a seed: a pure function of the seed and of the texts, kept once it is built. */
export function buildSite(seed: number): Site {
  const known = sites.get(seed);
  if (known) return known;
  const site = assemble(seed);
  sites.set(seed, site);
  return site;
}

const FETCHED: Expected = { outcome: 'fetched', reason: null };

/** Old pages in the charsets of their time: three ways to say, or not to say, which. */
const DECLARED = ['header', 'meta', 'nowhere'] as const;
const encodings = (charset: Encoding['charset']): Encoding[] => DECLARED.map((declared) => ({ charset, declared }));
const WESTERN = ['/rights/fra.html', '/rights/deu_1996.html', '/rights/spa.html'];

/** Pages that ask not to be taken. */
const OPT_OUTS: readonly { metaRobots?: string; headerRobots?: string; reason: string }[] = [
  { metaRobots: 'noindex', reason: 'noindex' },
  { metaRobots: 'noindex, nofollow', reason: 'noindex' },
  { metaRobots: 'noai, noimageai', reason: 'noai' },
  { metaRobots: 'noai', reason: 'noai' },
  { headerRobots: 'noai', reason: 'noai' },
  { headerRobots: 'noindex', reason: 'noindex' },
];

interface Special {
  article: Article;
  expected: Expected;
  about: string;
  /** What is shown of it in the corners of the front page, or null where it stands in its section. */
  link: string | null;
}

function assemble(seed: number): Site {
  const english = [...novelPages(), ...speechPages()];
  const chinese = [...chineseNovelPages(), ...chineseModernPages()];
  const declarations = declarationPages();
  encode(
    chinese.filter((a) => a.path.startsWith('/wenku/kuangrenriji/')),
    encodings('gbk'),
  );
  encode(
    declarations.filter((a) => WESTERN.includes(a.path)),
    encodings('windows-1252'),
  );
  const special = setAside(english, chinese, seed);
  const aside = new Set(special.map((s) => s.article));
  const planted = [english, chinese].map((pages) =>
    plant(
      pages.filter((a) => !aside.has(a)),
      seed,
      pages === chinese,
    ),
  );
  const articles = [...english, ...chinese, ...declarations, ...planted.flatMap((p) => p.added)];
  const inSections = articles.filter((a) => !special.some((s) => s.article === a && s.link !== null));
  const bySection = Object.fromEntries(SECTIONS.map((s) => [s, inSections.filter((a) => a.section === s)])) as Record<
    Section,
    Article[]
  >;
  const pitfalls = traps(chinese[1]!.path);
  const corners: Link[] = [
    ...pitfalls.flatMap((t) => (t.link ? [{ path: t.path, text: t.link }] : [])),
    ...special.flatMap((s) => (s.link ? [{ path: s.article.path, text: s.link }] : [])),
  ];
  const listings = [
    homePage(bySection, corners),
    ...aboutPages(),
    ...SECTIONS.flatMap((s) => sectionListings(s, bySection[s])),
  ];
  const replies = repliesOf(bySection, special, listings, pitfalls, seed);
  const listed = [...listings.map((l) => l.path), ...inSections.map((a) => a.path)];
  const truths = () => truthsOf(articles, special, listings, pitfalls);
  let manifest: Manifest | undefined;
  return {
    seed,
    reply: (path, host) => {
      if (path === '/robots.txt') return text('text/plain; charset=utf-8', robotsTxt(host));
      if (path.startsWith('/sitemap')) {
        const xml = sitemaps(listed, host).get(path);
        return xml ? text('application/xml', xml) : null;
      }
      return replies.get(path)?.() ?? calendarPage(path);
    },
    manifest: () =>
      (manifest ??= manifestOf({
        seed,
        pages: truths(),
        endless: [{ path: '/calendar/2026/11/24', reason: 'calendar' }],
        duplicates: planted.flatMap((p) => p.duplicates),
        near: planted.flatMap((p) => p.near),
      })),
  };
}

function encode(articles: readonly Article[], list: readonly Encoding[]): void {
  for (const [i, encoding] of list.entries()) {
    const article = articles[i];
    if (!article) continue;
    article.encoding = encoding;
    // These charsets have no hyphen but the plain one.
    for (const block of article.blocks) block.text = block.text.replaceAll('\u2010', '-');
  }
}

/** Takes some pages out of their sections: a forbidden folder, opt-outs, a page for JavaScript. */
function setAside(english: readonly Article[], chinese: readonly Article[], seed: number): Special[] {
  const random = randomFrom(seed, 'special');
  const pick = random.shuffle(english.filter((a) => a.section === 'speeches'));
  const zh = random.shuffle(chinese.filter((a) => !a.encoding));
  const optOuts = OPT_OUTS.map(({ reason, ...robots }, i): Special => {
    const article = (i % 2 === 0 ? pick : zh).pop()!;
    Object.assign(article, robots, { kind: 'opt_out' });
    return { article, expected: { outcome: 'refused', reason }, about: `asks for ${reason}`, link: null };
  });
  const hidden = [pick.pop()!, zh.pop()!].map((article, i): Special => {
    Object.assign(article, { path: `/private/draft-${i + 1}.html`, kind: 'private' });
    return {
      article,
      expected: { outcome: 'refused', reason: 'robots' },
      about: 'forbidden by robots.txt',
      link: `Draft ${i + 1}`,
    };
  });
  const app = pick.pop()!;
  Object.assign(app, { path: '/app/', kind: 'javascript' });
  const filled: Special = {
    article: app,
    expected: { outcome: 'needs_browser', reason: 'javascript' },
    about: 'only JavaScript fills it; fetched where a browser is at hand',
    link: 'The new reader',
  };
  return [...optOuts, ...hidden, filled];
}

function repliesOf(
  bySection: Record<Section, Article[]>,
  special: readonly Special[],
  listings: readonly Listing[],
  pitfalls: readonly Trap[],
  seed: number,
): Map<string, () => Reply> {
  const replies = new Map<string, () => Reply>();
  for (const section of SECTIONS) {
    const all = bySection[section];
    const around = neighbours(all, seed, section);
    for (const [i, article] of all.entries()) replies.set(article.path, () => articleReply(article, around(i)));
  }
  for (const { article, link } of special) {
    if (link === null) continue;
    const alone: Around = { previous: null, next: null, related: [], popular: [] };
    replies.set(article.path, () =>
      article.kind === 'javascript' ? javascriptPage(article) : articleReply(article, alone),
    );
  }
  for (const { path, html } of listings) replies.set(path, () => text('text/html; charset=utf-8', html));
  for (const { path, reply } of pitfalls) replies.set(path, () => reply);
  return replies;
}

/** What stands around a page: its neighbours, the same popular ones on each page of a section, and some chosen for it. */
function neighbours(all: readonly Article[], seed: number, section: Section): (i: number) => Around {
  const link = (a: Article | undefined): Link | null => (a ? { path: a.path, text: a.title } : null);
  const popular = randomFrom(seed, `popular ${section}`)
    .shuffle(all)
    .slice(0, 8)
    .map((a) => link(a)!);
  return (i) => {
    const random = randomFrom(seed + i, `related ${section}`);
    return {
      previous: link(all[i - 1]),
      next: link(all[i + 1]),
      related: Array.from({ length: 5 }, () => link(random.pick(all))!),
      popular,
    };
  };
}

const text = (type: string, body: string): Reply => ({
  status: 200,
  headers: { 'content-type': type },
  body: Buffer.from(body),
});

function articleReply(article: Article, around: Around): Reply {
  const html = renderArticle(article, around);
  const body = article.encoding ? iconv.encode(html, article.encoding.charset) : Buffer.from(html);
  return { status: 200, headers: encodedHeaders(article), body };
}

function truthsOf(
  articles: readonly Article[],
  special: readonly Special[],
  listings: readonly Listing[],
  pitfalls: readonly Trap[],
): PageTruth[] {
  const byArticle = new Map(special.map((s) => [s.article, s]));
  return [
    ...articles.map((a) => articleTruth(a, byArticle.get(a)?.expected ?? FETCHED, byArticle.get(a)?.about ?? null)),
    ...listings.map((l) => ({ ...bareTruth(l.path, 'listing', FETCHED, null), language: l.language, title: l.title })),
    ...pitfalls.map((t) => bareTruth(t.path, 'trap', t.expected, t.what)),
  ];
}
