import { beforeAll, describe, expect, test } from 'vitest';
import { languageOfRules, languageWindow, openLanguage, type Identify } from '../../../filters/language/identify.ts';
import { prepare } from '../../../filters/text.ts';
import { readLines } from '../golden.ts';

interface Golden {
  id: string;
  text: string;
  label: string;
  prob: number;
}
const golden = readLines<Golden>('language/fasttext-lid176.jsonl.gz');
let identify: Identify;
beforeAll(async () => {
  identify = await openLanguage();
});

test.skipIf(!golden)('fastText’s label and probability for every text', () => {
  expect(golden!.length).toBeGreaterThan(2900);
  for (const t of golden!) {
    const { language, score } = identify(t.text);
    expect([t.id, language, Math.abs(score - t.prob) < 1e-6]).toEqual([t.id, t.label, true]);
  }
});

test.each(['', '\n\n', '\uD800', '\uDC00\uD800', '\u0000a', '🙂'.repeat(50), 'x'.repeat(5_000_000)])(
  'any string has an answer',
  (text) => {
    const { language, score } = identify(text);
    expect(language).toMatch(/^[a-z]{2,3}$/);
    expect(score).toBeGreaterThanOrEqual(0);
  },
);

test('a long text is judged by its beginning and its middle', () => {
  const english = 'The water of the river moves slowly to the sea. ';
  expect(languageWindow('a\nb')).toBe('a b');
  expect(languageWindow(english.repeat(1000))).toHaveLength(4001);
  expect(identify(english.repeat(100_000)).language).toBe('en');
});

describe('whose rules count', () => {
  const han = '这条河的水慢慢地流向大海，住在河边的人们很久以前就知道这一点。';
  const kana = 'この川の水はゆっくりと海へ流れていきます。';
  test.each([
    { why: 'a certain model is believed', found: { language: 'fr', score: 0.65 }, text: 'x'.repeat(20), want: 'fr' },
    { why: 'an unsure one is not', found: { language: 'fr', score: 0.64 }, text: 'x'.repeat(20), want: 'en' },
    { why: 'nor is any on 19 letters', found: { language: 'fr', score: 1 }, text: '1x'.repeat(19), want: 'en' },
    { why: 'mostly Han is Chinese', found: { language: 'en', score: 0.9 }, text: `${han} const a`, want: 'zh' },
    { why: 'even if the model says Japanese', found: { language: 'ja', score: 0.9 }, text: han, want: 'zh' },
    { why: 'with kana it is not', found: { language: 'en', score: 0.9 }, text: kana, want: 'en' },
    {
      why: 'some Han in English is not',
      found: { language: 'en', score: 0.9 },
      text: `${'word '.repeat(40)}${han}`,
      want: 'en',
    },
  ])('$why', ({ found, text, want }) => {
    const { units } = prepare(text, { words: 'simple' });
    expect(languageOfRules(found, units)).toBe(want);
  });

  test('a stated language stands above the model, whatever its region', () => {
    const stated = (language?: string) => prepare(han, { words: 'simple', language, identify }).language;
    expect([stated('zh-Hant-TW'), stated('FR'), stated(), stated('')]).toEqual(['zh', 'fr', 'zh', 'zh']);
  });
});

test.each([
  ['en-GB', 'en'],
  ['eng_Latn', 'en'],
  ['cmn_Hani', 'zh'],
  ['ZH', 'zh'],
  ['zho', 'zh'],
  ['deu', 'de'],
  ['nob', 'no'],
  ['no tag', 'no tag'],
])('the stated language %s has the rules of %s', (language, is) => {
  expect(prepare('A text.', { words: 'simple', language }).language).toBe(is);
});
