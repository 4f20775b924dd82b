import { describe, expect, test } from 'vitest';
import { FILTERS } from '../../filters/index.ts';
import { judge } from '../../filters/rules.ts';
import { MEASURED, prepare, WORD_RULES } from '../../filters/text.ts';

const MIXED = [
  'a',
  ' ',
  '\n',
  '\r',
  '\u2028',
  '\uD800',
  '\uDC00',
  '🙂',
  '#',
  '...',
  '…',
  '[1]',
  '[',
  '{',
  '。',
  '的',
  '\u0000',
  '\u202E',
  "'",
  '\u200B',
  '\u001c',
];

/** A text of pieces drawn by a seed. */
function mixed(seed: number, length: number): string {
  let state = seed;
  return Array.from({ length }, () => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return MIXED[(state >> 8) % MIXED.length]!;
  }).join('');
}

const TEXTS: [string, string][] = [
  ['empty', ''],
  ['one line feed', '\n'],
  ['lone surrogates', '\uDFFF\uD800\uD800 \uDC00'],
  ['white space of Python', '\u001c\u001d\u0085\u2028'],
  ['a long line', 'x'.repeat(2_000_000)],
  ['long dots', '.'.repeat(300_000)],
  ['long brackets', '['.repeat(300_000)],
  ['line feeds', '\n'.repeat(300_000)],
  ['one word over and over', 'ab '.repeat(100_000)],
  ['Han without an end', '的'.repeat(200_000)],
  ...Array.from({ length: 40 }, (_, i): [string, string] => [`mixed ${i}`, mixed(i + 1, 20 + i * 20)]),
];

describe.each(WORD_RULES.map((words) => [words]))('any string gives numbers, %s', (words) => {
  test.each(TEXTS)('%s', (_name, text) => {
    const started = performance.now();
    for (const language of ['en', 'zh']) {
      const prepared = prepare(text, { words, language });
      for (const filter of FILTERS) {
        const signals = filter.measure(prepared);
        expect(Object.keys(signals).toSorted()).toEqual(Object.keys(filter.signals).toSorted());
        for (const [name, meaning] of Object.entries(filter.signals)) {
          const value = signals[name]!;
          if (value === null) continue;
          if (typeof meaning === 'object') expect(typeof value).toBe('string');
          else expect([name, Number.isFinite(value)]).toEqual([name, true]);
        }
      }
    }
    expect(performance.now() - started).toBeLessThan(15_000);
  });
});

test.each(['constructor', '__proto__', 'toString', 'x-klingon', '\ud800'])('stated language %s', (language) => {
  const prepared = prepare('A text in a language that nobody has.', { words: 'spacy', language });
  for (const filter of FILTERS)
    for (const v of judge(filter.rules, filter.measure(prepared), prepared.language))
      expect(typeof v.keep).toBe('boolean');
});

test('a text beyond the bound is measured by its beginning', () => {
  const long = prepare('word '.repeat(MEASURED), { words: 'simple', language: 'en' });
  expect(long.raw).toHaveLength(MEASURED);
  expect(long.words.count).toBe(Math.ceil(MEASURED / 5));
});
