import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parseRobots } from '../../../crawlers/web/robots.ts';
import { pathAndQuery } from '../../../crawlers/web/url.ts';
import { sharedData } from '../../shared.ts';

interface Case {
  group: string;
  google_only: boolean;
  robots: number;
  agent: string;
  url: string;
  allowed: boolean;
  expand?: boolean;
}

const cases = sharedData('robots/cases.json');
const own = sharedData('robots/own.json');

const pathOf = (url: string) => (URL.canParse(url) ? pathAndQuery(new URL(url)) : '/');
const expand = (text: string) =>
  text.replace(/\{\{(.)\*(\d+)\}\}/g, (_, letter: string, n: string) => letter.repeat(Number(n)));

test.skipIf(!cases)("the verdicts of google/robotstxt's own tests, where they are RFC 9309", () => {
  const data = JSON.parse(readFileSync(cases!, 'utf8')) as { texts: string[]; cases: Case[] };
  const wrong: Case[] = [];
  let google = 0;
  for (const c of data.cases) {
    const text = c.expand ? expand(data.texts[c.robots]!) : data.texts[c.robots]!;
    const allowed = parseRobots(text, c.agent.toLowerCase()).allows(pathOf(c.expand ? expand(c.url) : c.url));
    if (allowed === c.allowed) google += Number(c.google_only);
    else if (!c.google_only) wrong.push(c);
  }
  expect(wrong).toEqual([]);
  // Beyond the RFC most agree too; what does not is Google's own: index.html as a folder, names with spaces, cut lines.
  expect(google).toBeGreaterThanOrEqual(60);
});

test.skipIf(!own)('26 cases of RFC 9309, each with its reason', () => {
  const data = JSON.parse(readFileSync(own!, 'utf8')) as {
    robots: string;
    agent: string;
    url: string;
    allowed: boolean;
    why: string;
  }[];
  expect(data.length).toBeGreaterThan(20);
  const wrong = data.filter((c) => parseRobots(c.robots, c.agent).allows(pathOf(c.url)) !== c.allowed);
  expect(wrong).toEqual([]);
});

test.each([
  {
    robots: 'User-agent: *\nDisallow: /a\nUser-agent: garner\nCrawl-delay: 3',
    path: '/a',
    allowed: true,
    why: 'an own group without rules frees everything',
  },
  {
    robots: 'User-agent: garner\nCrawl-delay: 3\nUser-agent: other\nDisallow: /',
    path: '/x',
    allowed: false,
    why: 'other records do not split agents',
  },
  { robots: 'User-agent: *\nDisallow: /*\nAllow: /a', path: '/a', allowed: true, why: 'two octets each: a tie' },
  {
    robots: 'User-agent: *\nAllow: /a/bcd\nDisallow: /a/******',
    path: '/a/bcd',
    allowed: false,
    why: 'stars count as octets',
  },
  {
    robots: 'User-agent: *\nDisallow: /%7Ejoe',
    path: '/~joe',
    allowed: false,
    why: 'unreserved escapes are undone in the rule',
  },
  { robots: 'User-agent: *\nDisallow: /~joe', path: '/%7Ejoe', allowed: false, why: 'and in the path' },
  {
    robots: 'User-agent: *\nDisallow: private',
    path: '/private',
    allowed: true,
    why: 'no leading slash matches no first octet',
  },
  { robots: 'User-agent: *\nDisallow: *private', path: '/a/private', allowed: false, why: 'a leading star does' },
  { robots: 'User-agent: *\nDisallow: /a b', path: '/a%20b', allowed: false, why: 'a raw space is escaped' },
  { robots: 'User-agent: *\nDisallow: /?', path: '/', allowed: true, why: 'a question mark is itself' },
  { robots: 'User-agent: *\nDisallow: /?', path: '/?a', allowed: false, why: 'a question mark is itself' },
  { robots: 'User-agent: *\nDisallow: /a#b', path: '/a', allowed: false, why: 'the comment ends the rule' },
  {
    robots: 'User-agent: *\nDisallow: /a%2Ab',
    path: '/a*b',
    allowed: false,
    why: 'a star of a URL is written escaped',
  },
  { robots: 'User-agent: *\nDisallow: /a%24', path: '/a$', allowed: false, why: 'a dollar sign too' },
  {
    robots: 'User-agent: *\nDisallow: /x$y$',
    path: '/x$y',
    allowed: false,
    why: 'only the last dollar sign is an anchor',
  },
  { robots: 'User-agent:\nDisallow: /', path: '/x', allowed: true, why: 'a group of nobody' },
  {
    robots: 'User-agent: *\nDisallow: /x\nUser-agent: garner\nUser-agent: *\nDisallow: /y',
    path: '/x',
    allowed: true,
    why: 'our group is the second',
  },
  { robots: 'User agent: garner\nDisalow: /x', path: '/x', allowed: false, why: 'misspelt, on the cautious side' },
  {
    robots: 'User-agent: *\nDisallow: /\nAllow: /index.html',
    path: '/',
    allowed: false,
    why: 'index.html is not the folder',
  },
])('$why', ({ robots, path, allowed }) => {
  expect(parseRobots(robots, 'garner').allows(path)).toBe(allowed);
});

test('a rule of many stars costs no more than length times length', () => {
  const robots = parseRobots(`User-agent: *\nDisallow: /${'*a'.repeat(1000)}$`, 'garner');
  const started = performance.now();
  expect(robots.allows(`/${'a'.repeat(2000)}b`)).toBe(true);
  expect(performance.now() - started).toBeLessThan(1000);
});

test('delay, sitemaps and signals of the agent', () => {
  const robots = parseRobots(
    'Sitemap: https://e.org/s.xml\nUser-agent: garner\nCrawl-delay: 1.5\nContent-Signal: ai-train=no, search=yes\n\nUser-agent: garner\nCrawl-delay: 4\nDisallow: /x\nUser-agent: *\nCrawl-delay: 90',
    'garner',
  );
  expect(robots).toMatchObject({ delay: 4, sitemaps: ['https://e.org/s.xml'], signals: ['ai-train=no', 'search=yes'] });
});

test('a line of 250,000 signals is read as any other', () => {
  const robots = parseRobots(`User-agent: *\nContent-Signal: ai-train=no,${'a,'.repeat(250_000)}`, 'garner');
  expect(robots.signals[0]).toBe('ai-train=no');
});
