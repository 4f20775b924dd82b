import { describe, expect, test } from 'vitest';
import {
  chineseTokenizer,
  codeUnits,
  countKinds,
  sentencesOf,
  simpleSentences,
  simpleWords,
  spacyTokenizer,
  wordsOf,
  type Spans,
} from '../../../core/text/index.ts';
import { readLines } from '../../filters/golden.ts';

interface Golden {
  id: string;
  lang: string;
  text: string;
  words: string[];
  sentences: string[];
  simpleWords: string[];
  simpleSentences: string[];
}
const golden = readLines<Golden>('filters/spacy-rule-tokens.jsonl.gz');

const pieces = (text: string, { count, bounds }: Spans) =>
  Array.from({ length: count }, (_, i) => text.slice(bounds[2 * i], bounds[2 * i + 1]));

function bySpacy(text: string, language: string) {
  const units = codeUnits(text);
  const tokens = (language === 'zh' ? chineseTokenizer() : spacyTokenizer(language))(text, units);
  return {
    words: pieces(text, wordsOf(units, tokens)),
    sentences: pieces(text, sentencesOf(units, tokens, 0, units.length)),
  };
}

describe.skipIf(!golden)('words and sentences as others find them', () => {
  test('the plain rule: every text', () => {
    for (const t of golden!) {
      const units = codeUnits(t.text);
      expect({ id: t.id, words: pieces(t.text, simpleWords(units)) }).toEqual({ id: t.id, words: t.simpleWords });
      const sentences = pieces(t.text, simpleSentences(units, 0, units.length));
      expect({ id: t.id, sentences }).toEqual({ id: t.id, sentences: t.simpleSentences });
    }
  });
  test.each([
    { lang: 'en', words: 1, sentences: 1 },
    { lang: 'zh', words: 1, sentences: 1 },
    { lang: 'ru', words: 1, sentences: 1 },
    { lang: 'es', words: 1, sentences: 1 },
    { lang: 'de', words: 0.93, sentences: 0.96 },
    { lang: 'fr', words: 0.93, sentences: 1 },
  ])('spaCy’s rules, $lang: words of $words of the texts', ({ lang, words, sentences }) => {
    const texts = golden!.filter((t) => t.lang === lang);
    const got = texts.map((t) => bySpacy(t.text, lang));
    const equal = (key: 'words' | 'sentences') =>
      texts.filter((t, i) => JSON.stringify(got[i]![key]) === JSON.stringify(t[key])).length / texts.length;
    expect(texts.length).toBeGreaterThan(50);
    expect(equal('words')).toBeGreaterThanOrEqual(words);
    expect(equal('sentences')).toBeGreaterThanOrEqual(sentences);
  });
});

test.each([
  ["Don't go to the U.S. (e.g. http://x.example/a?b=c).", "Do|n't|go|to|the|U.S.|(|e.g.|http://x.example/a?b=c|)|."],
  ['It cost US$5.00/hr... OK :)', 'It|cost|US$|5.00|/|hr|...|OK|:)'],
  ['word:)', 'word|:)'],
  ['10km, 5% and 20°C.', '10|km|,|5|%|and|20|°|C|.'],
  ['a well-known 3-4 year 2020-21', 'a|well|-|known|3|-|4|year|2020|-|21'],
  ['me@x.example and www.x.example:80/y', 'me@x.example|and|www.x.example:80/y'],
  ['cannot, I’m, ’cause', 'can|not|,|I|’m|,|’cause'],
  ['end.Start and end.start', 'end|.|Start|and|end.start'],
  ['🙂🙂 ok👍', '🙂|🙂|ok|👍'],
])('%s', (text, want) => {
  expect(bySpacy(text, 'en').words.join('|')).toBe(want);
});

test.each([
  ['fr', "l'abaisse qu'il d’un armez-vous", "l'|abaisse|qu'|il|d’|un|armez|-vous"],
  ['de', "am 6. März Max-Ernst it's 3/4 z.B. der", "am|6.|März|Max-Ernst|it's|3/4|z.|B.|der"],
  ['es', '¿Qué? 3-1 bien-estar.', '¿|Qué|?|3-1|bien-estar|.'],
])('%s: %s', (language, text, want) => {
  expect(bySpacy(text, language).words.join('|')).toBe(want);
});

test('hostile chunks take linear time and give numbers', () => {
  const chunks = [
    '(',
    '.',
    '@a.b',
    'a@',
    '((:',
    '-',
    'a-',
    "'s",
    '1km',
    '\uD800',
    '\uDC00x',
    '\u202E',
    ':)',
    '://a.b/',
    '。',
  ];
  for (const chunk of chunks) {
    const text = chunk.repeat(100_000 / chunk.length);
    const started = performance.now();
    const units = codeUnits(text);
    for (const tokenize of ['en', 'de', 'fr', 'xx'].map(spacyTokenizer)) {
      const tokens = tokenize(text, units);
      expect(pieces(text, tokens).join('')).toBe(text);
      expect(countKinds(text, units, tokens).count).toBe(tokens.count);
    }
    expect(simpleWords(units).count).toBeGreaterThan(0);
    expect(performance.now() - started).toBeLessThan(3000);
  }
});

test('tokens cover every character but single spaces, in Chinese too', () => {
  const text = ' 南京市长江大桥。\n\n  他说：“你好\uD800！” \t end ';
  const units = codeUnits(text);
  for (const tokens of [spacyTokenizer('xx')(text, units), chineseTokenizer()(text, units)]) {
    let at = 0;
    for (let i = 0; i < tokens.count; i++) {
      expect(text.slice(at, tokens.bounds[2 * i])).toMatch(/^ ?$/);
      at = tokens.bounds[2 * i + 1]!;
    }
    expect(text.slice(at)).toMatch(/^ ?$/);
  }
});

test.each([
  ['step-2-render', 'step|-|2|-|render'],
  ['a%5 b_1', 'a%|5|b|_|1'],
  ['v+1.5。', 'v|+|1.5|。'],
  ['3.14 80%', '3.14|80%'],
])('jieba cuts Latin letters and digits as the original does: %s', (text, want) => {
  expect(bySpacy(`版本 ${text}`, 'zh').words.slice(1).join('|')).toBe(want);
});

test('equal words are of one kind', () => {
  const text = 'a b a cd b a cd';
  const units = codeUnits(text);
  const words = countKinds(text, units, simpleWords(units));
  expect([...words.kinds]).toEqual([0, 1, 0, 2, 1, 0, 2]);
  expect([words.different, words.word(2), words.lengths[2]]).toEqual([3, 'cd', 2]);
});
