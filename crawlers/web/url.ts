import type { CrawlRecipe } from './recipe.ts';
import { matchesWildcard } from './wildcard.ts';

/** Escapes of unreserved characters are undone, the digits of the others are upper-case (RFC 3986 §6.2.2). */
const normaliseEscapes = (text: string): string =>
  text.replace(/%([0-9a-f]{2})/gi, (whole, hex: string) => {
    const c = String.fromCharCode(Number.parseInt(hex, 16));
    return /[A-Za-z0-9\-._~]/.test(c) ? c : whole.toUpperCase();
  });

/**
 * The one form of a URL under which the crawl knows it and asks for it: as WHATWG's URL writes it, without fragment,
 * user and empty query, escapes normalised. Null for what is no http or https URL.
 */
export function normaliseUrl(text: string, base?: string): string | null {
  if (text.length > 20_000 || !URL.canParse(text, base)) return null;
  const url = new URL(text, base);
  if ((url.protocol !== 'http:' && url.protocol !== 'https:') || url.hostname === '') return null;
  url.username = '';
  url.password = '';
  url.hash = '';
  url.pathname = normaliseEscapes(url.pathname);
  url.search = normaliseEscapes(url.search);
  return url.href;
}

/** Path and query: what robots rules and patterns are held against. */
export const pathAndQuery = (url: URL): string => `${url.pathname}${url.search}`;

export interface Scope {
  /** Whether the host belongs to the crawl. */
  host(url: URL): boolean;
  /** Whether include and exclude let the URL through. */
  path(url: URL): boolean;
  /** Adds a host: where a seed redirects to. */
  add(url: URL): void;
}

/** Host with port where it is not the scheme's own, so that two servers on one machine are two sites. */
export const siteOf = (url: URL): string => url.host.toLowerCase();

/** The scope of a recipe: the sites of its seeds (host and port), the hosts it names, and its patterns. */
export function createScope(recipe: Pick<CrawlRecipe, 'seeds' | 'scope'>): Scope {
  const sites = new Set(recipe.seeds.map((s) => siteOf(new URL(s))));
  const { hosts, include, exclude } = recipe.scope;
  const named = (url: URL) =>
    hosts.some((h) => {
      const host = h.toLowerCase();
      return host.startsWith('*.')
        ? url.hostname === host.slice(2) || url.hostname.endsWith(host.slice(1))
        : host === url.hostname || host === siteOf(url);
    });
  const fits = (pattern: string, url: URL) =>
    matchesWildcard(pattern, pattern.startsWith('/') ? pathAndQuery(url) : url.href);
  return {
    host: (url) => sites.has(siteOf(url)) || named(url),
    path: (url) => (include.length === 0 || include.some((p) => fits(p, url))) && !exclude.some((p) => fits(p, url)),
    add: (url) => void sites.add(siteOf(url)),
  };
}

const LONGEST_URL = 2000;
const DEEPEST_PATH = 20;
const MOST_PARAMETERS = 8;

/** True for a URL that machines make without end: too long, too deep, too many parameters, a segment or pair three times over. */
export function isTrap(url: URL): boolean {
  if (url.href.length > LONGEST_URL) return true;
  const parts = url.pathname.split('/').filter((p) => p !== '');
  if (parts.length > DEEPEST_PATH) return true;
  if (url.search !== '' && url.search.slice(1).split('&').length > MOST_PARAMETERS) return true;
  for (let i = 2; i < parts.length; i++) {
    if (parts[i] === parts[i - 1] && parts[i] === parts[i - 2]) return true;
    if (i >= 5) {
      const pair = (at: number) => `${parts[at]}/${parts[at + 1]}`;
      if (pair(i - 1) === pair(i - 3) && pair(i - 1) === pair(i - 5)) return true;
    }
  }
  return false;
}

const DATE_WORD = /(?:^|[^a-z])(?:calendar|month|year|week|day|date|kalender|monat|jahr)(?:[^a-z]|$)/i;
const YEAR = /(?:^|\D)(?:19|20|21)\d{2}(?:\D|$)/;

/**
 * The shape of a URL: host, path with digits as #, names of its parameters in order of the alphabet. `calendar` where
 * a year stands in a last segment or parameter without other words, or the words of a calendar beside numbers.
 */
export function shapeOf(url: URL): { shape: string; calendar: boolean } {
  const path = url.pathname.replace(/\d+/g, '#');
  const names = [
    ...new Set(
      url.search
        .slice(1)
        .split('&')
        .map((p) => p.split('=')[0]!.replace(/\d+/g, '#')),
    ),
  ];
  const shape = `${siteOf(url)}${path}${url.search === '' ? '' : `?${names.toSorted().join('&')}`}`;
  const where = pathAndQuery(url);
  const last = where.slice(where.lastIndexOf('/') + 1 || 0);
  const numeric = /\d/.test(where);
  const folders = url.pathname.split('/').filter((p) => p !== '');
  const endsInDate =
    YEAR.test(where) &&
    !/[a-z]{2}/i.test(url.search === '' ? (folders.at(-1) ?? '') : last.replace(/[?&][a-z_]+=/gi, ''));
  return { shape, calendar: numeric && (endsInDate || DATE_WORD.test(where)) };
}
