import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { judge } from '../../../filters/rules.ts';
import { toxicity } from '../../../filters/safety/toxicity.ts';
import { openMatcher, wordList } from '../../../filters/safety/word-list.ts';
import { openTexts, prepare } from '../../../filters/text.ts';
import { sharedData } from '../../shared.ts';

// The words themselves are taken from the list when the test runs and stand nowhere in this file.
const english = wordList('en')!.filter((w) => /^[a-z]{4,}$/.test(w));
const measure = (text: string, language = 'en') => toxicity.measure(prepare(text, { words: 'simple', language }));
const dropped = (text: string, language = 'en') =>
  judge(toxicity.rules, measure(text, language), language).find((v) => !v.keep)?.rule ?? null;

const filler = (words: number) => Array.from({ length: words }, (_, i) => `plain${i}`).join(' ');

test.each([
  { why: 'a clean text', text: filler(200), rule: null },
  {
    why: 'two different words, however often',
    text: `${`${english[0]} ${english[1]} `.repeat(20)}${filler(50)}`,
    rule: null,
  },
  { why: 'three different ones in 297', text: `${english.slice(0, 3).join(' ')} ${filler(294)}`, rule: 'toxic_words' },
  { why: 'three different ones in 303', text: `${english.slice(0, 3).join(' ')} ${filler(300)}`, rule: null },
  { why: 'in capitals', text: english.slice(0, 3).join(' ').toUpperCase(), rule: 'toxic_words' },
  {
    why: 'only inside longer words',
    text: english
      .slice(0, 9)
      .map((w) => `${w}zz zz${w}`)
      .join(' '),
    rule: null,
  },
  { why: 'nothing at all', text: '', rule: null },
])('$why → $rule', ({ text, rule }) => expect(dropped(text)).toBe(rule));

test('an entry of several words counts once, and what it begins with not besides', () => {
  const match = openMatcher(['ab', 'ab cd', '坏话']);
  const hits = (text: string) => match(text, prepare(text, { words: 'simple' }).words);
  expect(hits('ab cd, AB, xab, ab-cd abx')).toEqual({ hits: 3, distinct: 2 });
  expect(hits('ab')).toEqual({ hits: 1, distinct: 1 });
});

test('Chinese words count whole: not inside a longer word, nor across two', async () => {
  const prepareChinese = await openTexts('spacy');
  const match = openMatcher(['鸡', '蛋白', '坏人']);
  const hits = (text: string) => match(text, prepareChinese(text, 'zh').words);
  expect(hits('他是坏人，买了一只鸡。')).toEqual({ hits: 2, distinct: 2 });
  expect(hits('鸡蛋和鸡肉都很好吃，鸡蛋白的也好。')).toEqual({ hits: 0, distinct: 0 });
});

test('a language without a list has no hits', () => {
  expect(measure(english.slice(0, 5).join(' '), 'xx')).toMatchObject({ hits: 0, density: 0 });
});

test('the list is the one that the version of the filter stands for', () => {
  const digest = createHash('sha256')
    .update(JSON.stringify([wordList('en'), wordList('zh')]))
    .digest('hex');
  // Another list gives other signals: raise the filter's version with this digest.
  expect({ version: toxicity.version, digest: digest.slice(0, 16) }).toEqual({
    version: 1,
    digest: 'd947585537a8c00c',
  });
});

const pages = sharedData('filters/english.jsonl.gz');
test.skipIf(!pages)('at most 0.5 % of ordinary pages are dropped', () => {
  const texts = gunzipSync(readFileSync(pages!))
    .toString()
    .trim()
    .split('\n')
    .map((l) => (JSON.parse(l) as { text: string }).text);
  const wrong = texts.filter((text) => dropped(text) !== null).length;
  expect(texts.length).toBeGreaterThan(1000);
  expect(wrong / texts.length).toBeLessThanOrEqual(0.005);
});

const tweets = sharedData('toxicity/tweets-davidson.jsonl.gz');
test.skipIf(!tweets)('the list hits what people called offensive, and rarely what they called neither', () => {
  const rows = gunzipSync(readFileSync(tweets!))
    .toString()
    .trim()
    .split('\n')
    .map((l) => JSON.parse(l) as { text: string; label: string });
  const share = (label: string) => {
    const some = rows.filter((r) => r.label === label);
    return some.filter((r) => Number(measure(r.text)['hits']) > 0).length / some.length;
  };
  expect(share('offensive')).toBeGreaterThan(0.7);
  expect(share('neither')).toBeLessThan(0.06);
});
