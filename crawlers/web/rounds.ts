import type { Capture } from '../../core/records/index.ts';
import { emptyRow, type Entry } from './entry.ts';
import type { Settled } from './frontier-log.ts';
import type { CrawlRecipe } from './recipe.ts';
import { parseRobots, type Robots } from './robots.ts';
import { isTrap, normaliseUrl, pathAndQuery, shapeOf, siteOf, type Scope } from './url.ts';

export interface RoundsOptions {
  recipe: CrawlRecipe;
  scope: Scope;
  /** Our product token in lower case. */
  agent: string;
  /** Has every entry fetched that is not settled yet; gives a reader of what became of each, so that a level is not held. */
  settle: (entries: readonly Entry[], manners: Manners) => Promise<(url: string) => Settled>;
}

/** What the sites' robots.txt ask for, as far as it is known. */
export interface Manners {
  /** Pause between two requests [s]. */
  delay(entry: Entry): number;
  signals(entry: Entry): readonly string[];
  /** Whether a page may load this beside itself: false where a robots.txt that is known forbids it. */
  may: (url: string) => boolean;
}

export interface RoundsResult {
  /** Rows of URLs that were never asked for. */
  rows: Capture[];
  /** Why a redirect was not followed, by URL. */
  reasons: Map<string, string>;
  /** Links to hosts outside the crawl, counted once a page [count]. */
  outside: number;
}

/** Above this a site's Crawl-delay means that it is not to be crawled [s]. */
const LONGEST_DELAY = 120;
const MAP_NESTING = 3;
const MOST_MAPS = 10_000;

/**
 * The order of the crawl: breadth first, level by level, each level in sorted order, redirects and nested sitemaps in rounds
 * of their own within it. Every limit counts in that order, so that which URLs are captured depends on the site and the
 * recipe alone, never on which answer came first; and a resumed crawl walks the same way again, past what is settled.
 */
export async function walkRounds({ recipe, scope, agent, settle }: RoundsOptions): Promise<RoundsResult> {
  const seen = new Set<string>();
  const rows: Capture[] = [];
  const reasons = new Map<string, string>();
  const robots = new Map<string, { rules: Robots | null; reason: string }>();
  const shapes = new Map<string, number>();
  /** Links beyond the depth limit, with where they were found. */
  const beyond = new Map<string, Entry>();
  let pages = 0;
  let maps = 0;
  let outside = 0;
  const manners: Manners = {
    delay: (e) => Math.max(recipe.delay, robots.get(originOf(e))?.rules?.delay ?? 0),
    signals: (e) => robots.get(originOf(e))?.rules?.signals ?? [],
    may(text) {
      const url = new URL(text);
      const known = robots.get(url.origin);
      return known ? (known.rules?.allows(pathAndQuery(url)) ?? false) : true;
    },
  };
  const refuse = (entry: Entry, outcome: 'refused' | 'skipped', reason: string) =>
    void rows.push(emptyRow(recipe.name, entry, outcome, reason));
  const entryFor = (
    url: string,
    kind: Entry['kind'],
    depth: number,
    referrer: string | null,
    chain: string[] = [],
  ): Entry => ({
    url,
    site: siteOf(new URL(url)),
    kind,
    depth,
    referrer,
    chain,
  });
  /** Of several finds of one URL the smallest referrer stays; a page that is also a sitemap is read as one. */
  const offer = (to: Map<string, Entry>, entry: Entry) => {
    if (seen.has(entry.url)) return;
    const known = to.get(entry.url);
    const smaller = known && known.kind === entry.kind && (known.referrer ?? '') <= (entry.referrer ?? '');
    if (!known || (!smaller && !(known.kind === 'sitemap' && entry.kind === 'page'))) to.set(entry.url, entry);
  };

  /** Reads the robots.txt of every site of a round that is met for the first time; its sitemaps join the round. */
  async function meetSites(entries: readonly Entry[], round: Map<string, Entry>): Promise<void> {
    const fresh = new Map<string, Entry>();
    for (const e of entries) {
      const origin = originOf(e);
      if (robots.has(origin)) continue;
      const url = normaliseUrl('/robots.txt', e.url)!;
      if (!fresh.has(origin)) fresh.set(origin, entryFor(url, 'robots', 0, null));
    }
    if (fresh.size === 0) return;
    for (const e of fresh.values()) seen.add(e.url);
    const settled = await settle([...fresh.values()].toSorted(byUrl), manners);
    for (const [origin, e] of fresh) {
      const { text, reason } = settled(e.url).robots!;
      const rules = text === null ? null : parseRobots(text, agent);
      const tooSlow = (rules?.delay ?? 0) > LONGEST_DELAY;
      robots.set(origin, { rules: tooSlow ? null : rules, reason: tooSlow ? 'crawl_delay' : (reason ?? 'robots') });
      if (!rules || tooSlow || !recipe.sitemaps) continue;
      const named = rules.sitemaps.map((s) => normaliseUrl(s, e.url)).filter((s) => s !== null);
      for (const map of new Set([...named, normaliseUrl('/sitemap.xml', e.url)!])) {
        if (maps++ < MOST_MAPS && scope.host(new URL(map))) offer(round, entryFor(map, 'sitemap', 0, e.url));
      }
    }
  }

  /** Why an entry is not asked for, or null. Counts the budgets: to be called in sorted order. */
  function verdict(e: Entry): ['refused' | 'skipped', string] | null {
    const url = new URL(e.url);
    if (e.kind === 'page') {
      if (!scope.host(url) || (e.depth > 0 && !scope.path(url))) return ['skipped', 'scope'];
      if (isTrap(url)) return ['skipped', 'trap'];
    }
    const site = robots.get(originOf(e))!;
    if (!site.rules) return ['refused', site.reason];
    if (!site.rules.allows(pathAndQuery(url))) return ['refused', 'robots'];
    if (e.kind !== 'page') return null;
    const { shape, calendar } = shapeOf(url);
    const count = shapes.get(shape) ?? 0;
    if (count >= (calendar ? recipe.per_calendar : recipe.per_shape))
      return ['skipped', calendar ? 'calendar' : 'shape'];
    if (pages >= recipe.max_pages) return ['skipped', 'max_pages'];
    shapes.set(shape, count + 1);
    pages++;
    return null;
  }

  let level = new Map<string, Entry>();
  for (const seed of recipe.seeds) offer(level, entryFor(normaliseUrl(seed)!, 'page', 0, null));
  for (let depth = 0; level.size > 0; depth++) {
    const next = new Map<string, Entry>();
    const offerLink = (url: string, referrer: string) => {
      const entry = entryFor(url, 'page', depth + 1, referrer);
      offer(depth + 1 > recipe.depth ? beyond : next, entry);
    };
    let round = level;
    while (round.size > 0) {
      await meetSites([...round.values()].toSorted(byUrl), round);
      const asked: Entry[] = [];
      for (const e of [...round.values()].toSorted(byUrl)) {
        if (seen.has(e.url)) continue;
        seen.add(e.url);
        const no = verdict(e);
        if (no) refuse(e, ...no);
        else asked.push(e);
      }
      const settled = await settle(asked, manners);
      round = new Map();
      for (const e of asked) {
        const result = settled(e.url);
        outside += result.outside;
        follow(e, result, round);
        for (const link of result.links) offerLink(link, e.url);
        for (const page of result.sitemap?.pages ?? []) if (scope.host(new URL(page))) offerLink(page, e.url);
      }
    }
    level = next;
  }
  for (const e of [...beyond.values()].toSorted(byUrl)) {
    if (seen.has(e.url)) continue;
    const url = new URL(e.url);
    refuse(e, 'skipped', !scope.path(url) ? 'scope' : 'depth');
  }
  return { rows, reasons, outside };

  /** Redirects and nested sitemaps lead to the level's next round. */
  function follow(e: Entry, result: Settled, round: Map<string, Entry>): void {
    const { row } = result;
    if (row.outcome === 'redirected' && row.location) {
      const target = new URL(row.location);
      const chain = [...e.chain, e.url];
      // Where a seed leads is what the person meant.
      if (e.depth === 0 && e.kind === 'page') scope.add(target);
      const back = chain.indexOf(row.location);
      if (back !== -1) for (const url of chain.slice(back)) reasons.set(url, 'redirect_loop');
      else if (!scope.host(target)) reasons.set(e.url, 'redirect_scope');
      else if (chain.length > recipe.redirects) reasons.set(e.url, 'redirects');
      else offer(round, entryFor(row.location, e.kind, e.depth, e.url, chain));
    }
    for (const map of result.sitemap?.maps ?? []) {
      const deep = e.chain.length >= MAP_NESTING;
      if (!deep && maps++ < MOST_MAPS && scope.host(new URL(map)))
        offer(round, entryFor(map, 'sitemap', 0, e.url, [...e.chain, e.url]));
    }
  }
}

const originOf = (e: Entry) => new URL(e.url).origin;

const byUrl = (a: Entry, b: Entry) => (a.url < b.url ? -1 : a.url > b.url ? 1 : 0);
