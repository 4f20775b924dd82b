import { matchesWildcard } from './wildcard.ts';

interface Rule {
  allow: boolean;
  pattern: string;
  /** Octets of the rule, stars counted as written. */
  length: number;
}

interface Group {
  agents: string[];
  rules: Rule[];
  delay: number | null;
  signals: string[];
}

/** A site's robots.txt: captured like a page, and no page. */
export const isRobotsTxt = (url: string): boolean => /^https?:\/\/[^/]{1,300}\/robots\.txt$/i.test(url);

/** What a robots.txt says to one agent. */
export interface Robots {
  /** By path and query of a normalised URL (RFC 9309 §2.2). */
  allows(path: string): boolean;
  /** Longest Crawl-delay of the agent's groups [seconds]; null where none is set. */
  delay: number | null;
  sitemaps: string[];
  /** Content-Signal values of the agent's groups, e.g. `ai-train=no`. */
  signals: string[];
}

/** At least 500 KiB must be read (RFC 9309 §2.5); what stands beyond is not looked at. */
const LONGEST = 512_000;

/** Misspellings of Disallow that Google's parser takes too: on the cautious side only, never for Allow. */
const DISALLOW = new Set(['disallow', 'dissallow', 'dissalow', 'disalow', 'diasllow', 'disallaw']);
const AGENT = new Set(['user-agent', 'useragent', 'user agent']);
const SITEMAP = new Set(['sitemap', 'site-map']);

/** A product token: what stands before the first character that none may hold. `garner/1.0` is `garner`; `*` stays. */
function productToken(value: string): string {
  if (/^\*(?:$|\s)/.test(value)) return '*';
  return /^[A-Za-z_-]*/.exec(value)![0].toLowerCase();
}

/**
 * The one form of paths and rules in which they are compared octet by octet: non-ASCII and spaces escaped as UTF-8,
 * escapes of unreserved characters undone, others with upper-case digits. `literal`: a star or dollar sign of a URL is
 * no wildcard, and stands escaped (RFC 9309 §2.2.3).
 */
function robotsPath(text: string, literal: boolean): string {
  const escaped = text.replace(/[^\x21-\x7e]+/g, (run) => encodeURIComponent(run.toWellFormed()));
  const even = escaped.replace(/%([0-9a-f]{2})/gi, (whole, hex: string) => {
    const c = String.fromCharCode(Number.parseInt(hex, 16));
    return /[A-Za-z0-9\-._~]/.test(c) ? c : whole.toUpperCase();
  });
  return literal ? even.replaceAll('*', '%2A').replaceAll('$', '%24') : even;
}

function ruleOf(allow: boolean, value: string): Rule | null {
  if (value === '') return null;
  const path = robotsPath(value, false);
  const anchored = path.endsWith('$');
  const body = anchored ? path.slice(0, -1) : path;
  const pattern = `${body.replaceAll('$', '%24').replace(/\*+/g, '*')}${anchored ? '$' : ''}`;
  return { allow, pattern, length: path.length };
}

const ruleMatches = (rule: Rule, path: string): boolean =>
  rule.pattern.endsWith('$')
    ? matchesWildcard(rule.pattern.slice(0, -1), path)
    : matchesWildcard(rule.pattern, path, true);

/** Field name in lower case and value of a line; null for a line that says nothing. */
function parseLine(line: string): [string, string] | null {
  const text = line.replace(/#.*/s, '').trim();
  const colon = text.indexOf(':');
  if (colon > 0) return [text.slice(0, colon).trim().toLowerCase(), text.slice(colon + 1).trim()];
  const words = text.split(/\s+/);
  const name = words[0]!.toLowerCase();
  // A forgotten colon is forgiven where that is the cautious reading.
  return words.length === 2 && (DISALLOW.has(name) || AGENT.has(name)) ? [name, words[1]!] : null;
}

/**
 * Reads a robots.txt for one agent, given by its product token in lower case, by RFC 9309: groups that name it are joined,
 * else those for `*`; the matching rule with most octets decides, Allow wins a tie. Whatever arrives is read line by line;
 * nothing makes it fail. Beyond the RFC: Crawl-delay, Sitemap and Content-Signal are read, and Disallow with its usual misspellings.
 */
export function parseRobots(text: string, agent: string): Robots {
  const whole = text.length > LONGEST ? text.slice(0, text.lastIndexOf('\n', LONGEST)) : text;
  const groups: Group[] = [];
  const sitemaps: string[] = [];
  let open: Group | null = null;
  let inRules = true;
  for (const line of whole.replace(/^\uFEFF/, '').split(/\r\n|\n|\r/)) {
    const parsed = parseLine(line);
    if (!parsed) continue;
    const [name, value] = parsed;
    if (AGENT.has(name)) {
      if (inRules || !open) groups.push((open = { agents: [], rules: [], delay: null, signals: [] }));
      inRules = false;
      open.agents.push(productToken(value));
    } else if (name === 'allow' || DISALLOW.has(name)) {
      inRules = true;
      const rule = ruleOf(name === 'allow', value);
      if (rule) open?.rules.push(rule);
    } else if (SITEMAP.has(name)) {
      if (sitemaps.length < 1000) sitemaps.push(value);
    } else if (name === 'crawl-delay' && open) {
      const seconds = /^\d{1,6}(?:\.\d{1,6})?$/.test(value) ? Number(value) : null;
      if (seconds !== null) open.delay = Math.max(open.delay ?? 0, seconds);
    } else if (name === 'content-signal' && open) {
      for (const signal of value.toLowerCase().split(',')) open.signals.push(signal.replace(/\s/g, ''));
    }
  }
  const own = groups.filter((g) => g.agents.includes(agent));
  const mine = own.length > 0 ? own : groups.filter((g) => g.agents.includes('*'));
  const rules = mine.flatMap((g) => g.rules);
  const delays = mine.flatMap((g) => (g.delay === null ? [] : [g.delay]));
  return {
    allows(path) {
      const target = robotsPath(path, true);
      if (target === '/robots.txt') return true;
      let best: Rule | null = null;
      for (const rule of rules) {
        if (best && (rule.length < best.length || (rule.length === best.length && best.allow))) continue;
        if (ruleMatches(rule, target)) best = rule;
      }
      return best?.allow ?? true;
    },
    delay: delays.length > 0 ? Math.max(...delays) : null,
    sitemaps,
    signals: mine.flatMap((g) => g.signals),
  };
}
