import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { createScope, isTrap, normaliseUrl, shapeOf } from '../../../crawlers/web/url.ts';
import { matchesWildcard } from '../../../crawlers/web/wildcard.ts';
import { sharedData } from '../../shared.ts';

const data = sharedData('url/urltestdata.json');

test.skipIf(!data)('the web platform tests: http and https URLs as the standard parses them', () => {
  const cases = (JSON.parse(readFileSync(data!, 'utf8')) as unknown[]).filter((c) => typeof c === 'object') as {
    input: string;
    base: string | null;
    href?: string;
    failure?: boolean;
  }[];
  const wrong: string[] = [];
  let seen = 0;
  for (const c of cases) {
    // What Node itself reads otherwise (15 of 891, younger than it) is not ours to judge.
    const nodes = URL.canParse(c.input, c.base ?? undefined) ? new URL(c.input, c.base ?? undefined).href : undefined;
    if (nodes !== c.href) continue;
    seen++;
    const got = normaliseUrl(c.input, c.base ?? undefined);
    const isHttp = c.href !== undefined && /^https?:\/\/[^/]/.test(c.href);
    if (!isHttp) {
      if (got !== null) wrong.push(`${c.input} → ${got}`);
      continue;
    }
    if (got === null || normaliseUrl(got) !== got) wrong.push(`${c.input} → ${got}`);
    else if (new URL(got).host !== new URL(c.href!).host) wrong.push(`${c.input} → ${got}`);
  }
  expect(wrong).toEqual([]);
  expect(seen).toBeGreaterThan(850);
});

test.each([
  ['HTTP://User:pw@Example.ORG:80/a/../b/./c?#frag', 'http://example.org/b/c'],
  ['http://example.org', 'http://example.org/'],
  ['http://example.org/%7ejoe/%c3%a4?q=%41%2f', 'http://example.org/~joe/%C3%A4?q=A%2F'],
  ['http://例え.jp/', 'http://xn--r8jz45g.jp/'],
  ['http://example.org/a b', 'http://example.org/a%20b'],
  ['mailto:a@b.c', null],
  ['javascript:void 0', null],
  ['http://[bad', null],
])('%s → %s', (from, to) => expect(normaliseUrl(from)).toBe(to));

describe('traps', () => {
  test.each([
    ['http://e.org/a/a/a', true],
    ['http://e.org/a/a/b', false],
    ['http://e.org/a/b/a/b/a/b', true],
    ['http://e.org/a/b/a/b/c', false],
    [`http://e.org/${'x/'.repeat(1)}${Array.from({ length: 21 }, (_, i) => `d${i}`).join('/')}`, true],
    [`http://e.org/${'x'.repeat(2100)}`, true],
    ['http://e.org/?a=1&b=2&c=3&d=4&e=5&f=6&g=7&h=8', false],
    ['http://e.org/?a=1&b=2&c=3&d=4&e=5&f=6&g=7&h=8&i=9', true],
  ])('%s → %s', (url, trap) => expect(isTrap(new URL(url))).toBe(trap));
});

test.each([
  ['http://e.org/calendar/2026/11/24', true],
  ['http://e.org/events/2026-11-24', true],
  ['http://e.org/list?month=11&year=2026', true],
  ['http://e.org/2026/11/', true],
  ['http://e.org/2026/11/a-title-of-words', false],
  ['http://e.org/news/2026/11/24/story.html', false],
  ['http://e.org/articles/12345', false],
  ['http://e.org/page/7', false],
  ['http://e.org/calendar', false],
])('%s is a calendar: %s', (url, calendar) => expect(shapeOf(new URL(url)).calendar).toBe(calendar));

test('shapes: digits are alike, parameters by name', () => {
  const shape = (u: string) => shapeOf(new URL(u)).shape;
  expect(shape('http://e.org/a/12?y=1&x=2')).toBe(shape('http://e.org/a/7?x=9&y=0'));
  expect(shape('http://e.org/a/12')).not.toBe(shape('http://e.org/b/12'));
});

test('scope: hosts of the seeds, named hosts, patterns', () => {
  const scope = createScope({
    seeds: ['https://e.org/start'],
    scope: {
      hosts: ['*.more.org', 'one.net:8080'],
      include: ['/docs/*', 'https://a.more.org/*'],
      exclude: ['*?print=*'],
    },
  });
  const host = (u: string) => scope.host(new URL(u));
  const path = (u: string) => scope.path(new URL(u));
  expect([
    host('http://e.org/'),
    host('https://www.e.org/'),
    host('https://x.more.org/'),
    host('https://more.org/'),
  ]).toEqual([true, false, true, true]);
  expect([host('http://one.net:8080/'), host('http://one.net/'), host('http://notmore.org/')]).toEqual([
    true,
    false,
    false,
  ]);
  expect([
    path('https://e.org/docs/1'),
    path('https://e.org/blog'),
    path('https://a.more.org/x'),
    path('https://e.org/docs/1?print=1'),
  ]).toEqual([true, false, true, false]);
});

test.each([
  ['*', '', false, true],
  ['', 'a', false, false],
  ['', 'a', true, true],
  ['a*c', 'abbbc', false, true],
  ['a*c', 'abbbcd', false, false],
  ['a*c', 'abbbcd', true, true],
  ['*a*b*', 'xxaxxbxx', false, true],
  ['*aab', 'aaaab', false, true],
  ['**', 'x', false, true],
  ['a', '', true, false],
])('wildcard %s on "%s" (open: %s) → %s', (pattern, text, open, fits) =>
  expect(matchesWildcard(pattern, text, open)).toBe(fits),
);
