import { describe, expect, test } from 'vitest';
import { normalise, normalisedClasses, pieces, plainClasses } from '../../../core/text/normalise.ts';
import {
  createLetters,
  createShingler,
  jaccard,
  SHINGLED_UNITS,
  shingleKernel,
  twin,
} from '../../../core/text/shingles.ts';
import { dice, jsonLines } from '../../datasets/lake.ts';
import { sharedData } from '../../shared.ts';

const H = String.raw`\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}`;
const TOKEN = new RegExp(String.raw`[${H}]|(?:(?![${H}])[\p{L}\p{N}\p{M}_])+|[^\s]`, 'gu');
/** The definition, word for word. */
function shinglesByDefinition(text: string): Set<string> {
  const tokens = text.toLowerCase().match(TOKEN) ?? [];
  if (tokens.length === 0) return new Set();
  if (tokens.length < 5) return new Set([tokens.join(' ')]);
  return new Set(tokens.slice(4).map((_, i) => tokens.slice(i, i + 5).join(' ')));
}

/** Strings of few different characters, so that shingles repeat, among them everything that is hard. */
const ALPHABET = [
  ...'ab c_1,.!\'’"\u00AD\u200B\u200D\uFEFF\u0301\u00E9\u00DF\u0130\u03C2\u03A3\uFF21\uFB01漢字かなカナー々한ไทยक्षि\n\t\u2028\u0000',
  '\uD83D\uDE00',
  '\uD83D',
  '\uDE00',
  '\u{20000}',
  '\u{1D49C}',
  '\u{E0101}',
  '\u{10FFFF}',
];
const randomText = (seed: number, length: number) => {
  const roll = dice(seed);
  return Array.from({ length }, () => ALPHABET[roll(ALPHABET.length)]!).join('');
};
const hostile = Array.from({ length: 400 }, (_, i) => randomText(i, i % 41));

describe('plain reading', () => {
  const shingle = createShingler('plain');
  test('as many distinct shingles as the definition has, on any string', () => {
    for (const text of hostile) expect([text, shingle(text).length]).toEqual([text, shinglesByDefinition(text).size]);
  });
  test('the same Jaccard as the definition', () => {
    let compared = 0;
    for (const [i, text] of hostile.entries()) {
      const other = text.slice(0, i % 37) + randomText(i + 1000, 5);
      const a = shinglesByDefinition(text);
      const b = shinglesByDefinition(other);
      const inter = [...a].filter((s) => b.has(s)).length;
      if (a.size + b.size === 0) continue;
      expect(jaccard(shingle(text).slice(), shingle(other))).toBe(inter / (a.size + b.size - inter));
      if (inter > 0) compared++;
    }
    expect(compared).toBeGreaterThan(50);
  });
  test('the classes of code points are the pattern’s', () => {
    const classes = plainClasses();
    for (let c = 0; c < 0x110000; c += c < 0x3000 ? 1 : 61) {
      const s = String.fromCodePoint(c);
      const expected = /\s/u.test(s)
        ? 0
        : new RegExp(`[${H}]`, 'u').test(s)
          ? 1
          : /[\p{L}\p{N}\p{M}_]/u.test(s)
            ? 2
            : 3;
      expect([c, classes[c]]).toEqual([c, expected]);
    }
  });
});

describe('normalised reading', () => {
  const shingle = createShingler('normalised');
  test.each([
    ['punctuation', 'One, two — three; four? Five!', 'one two three four five'],
    ['apostrophes between letters', "I don’t know what it's for", 'I dont know what its for'],
    ['NFC and NFD', 'caf\u00E9 d\u00E9j\u00E0 vu tr\u00E8s bien', 'cafe\u0301 de\u0301ja\u0300 vu tre\u0300s bien'],
    ['full width', 'ＡＢＣ １２３ ｄｅｆ ｇｈｉ ｊｋｌ', 'abc 123 def ghi jkl'],
    ['invisible characters', 'hyphen\u00ADated wo\u200Brds a\uFEFFre the same', 'hyphenated words are the same'],
    ['the two sigmas', 'ΟΔΟΣ ΟΔΟΣ ΝΕΑ ΟΔΟΣ ΑΥΤΗ', 'οδος οδος νεα οδος αυτη'],
    ['Chinese punctuation', '你好，世界。今天天气很好！', '你好世界今天天气很好'],
  ])('%s', (_, a, b) => {
    expect(jaccard(shingle(a).slice(), shingle(b))).toBe(1);
  });
  test.each([
    ['quotes are no apostrophes', "the 'word' is in quotes here", 'the word is in quotes here', 1],
    ['ends are cut', "dogs' bones lie over there now", 'dogs bones lie over there now', 1],
    ['letters stay', 'resume of the whole work here', 'résumé of the whole work here', 1 / 3],
  ])('%s', (_, a, b, similarity) => {
    expect(jaccard(shingle(a).slice(), shingle(b))).toBeCloseTo(similarity);
  });
  test('words of ten scripts that differ in a mark stay different', () => {
    for (const [a, b] of [
      ['कि', 'की'],
      ['ไป', 'ไปำ'],
      ['كَتَبَ', 'كُتِبَ'],
      ['বই', 'বৈ'],
      ['தமிழ்', 'தமிழ'],
      ['తెలుగు', 'తెలుగ'],
      ['ગુજરાતી', 'ગજરાતી'],
      ['ਪੰਜਾਬੀ', 'ਪਜਾਬੀ'],
      ['မြန်မာ', 'မန်မာ'],
      ['ខ្មែរ', 'ខមែរ'],
    ])
      expect([a, jaccard(shingle(a!).slice(), shingle(b!))]).toEqual([a, 0]);
  });
});

describe('the C kernel and its twin give the same bits', () => {
  const real = ['english', 'chinese'].map((l) => sharedData(`dedup/planted-${l}.jsonl.gz`));
  const texts = [
    ...hostile,
    randomText(5000, 20_000),
    ...real.flatMap((path) =>
      path
        ? jsonLines<{ text: string }>(path)
            .slice(0, 60)
            .map((d) => d.text)
        : [],
    ),
  ];
  test('there is a kernel to compare', () => expect(shingleKernel()).not.toBe(twin));
  test.each(['plain', 'normalised'] as const)('%s shingles', (reading) => {
    const native = createShingler(reading);
    const plain = createShingler(reading, twin);
    for (const text of texts) expect(native(text)).toEqual(plain(text));
  });
  test('letters', () => {
    const native = createLetters();
    const plain = createLetters(twin);
    for (const text of texts) {
      expect(native(text)).toEqual(plain(text));
      expect(String.fromCharCode(...native(text))).toBe(
        normalise(text).replaceAll(/\p{Default_Ignorable_Code_Point}|[^\p{L}\p{N}\p{M}]/gu, ''),
      );
    }
  });
  test('raw shingles in text order, ties and pair seams included', () => {
    for (const classes of [plainClasses(), normalisedClasses()])
      for (const text of texts) {
        const units = Uint16Array.from({ length: text.length }, (_, i) => text.charCodeAt(i));
        const a = new BigUint64Array(units.length);
        const b = new BigUint64Array(units.length);
        const made = shingleKernel().shingles(units, units.length, classes, a);
        expect(twin.shingles(units, units.length, classes, b)).toBe(made);
        expect(a).toEqual(b);
      }
  });
});

test('frozen: these hashes stand in signatures of stored lakes', () => {
  const hex = (set: BigUint64Array) => [...set].map((x) => x.toString(16).padStart(16, '0'));
  expect(hex(createShingler('plain')('The quick brown fox jumps over'))).toEqual(FROZEN.english);
  expect(hex(createShingler('plain')('床前明月光，疑'))).toEqual(FROZEN.chinese);
  expect(hex(createShingler('plain')('Hello'))).toEqual(FROZEN.one);
  expect(createShingler('plain')(' \n').length).toBe(0);
});
const FROZEN = {
  english: ['36944595057e0aef', 'c12d58e34dbb3598'],
  chinese: ['1a4c8c09bde6a951', '2555bf3862c0fea4', '4a789906902a742f'],
  one: ['5d61b7709b814a80'],
};

test('of a very long text the beginning counts', () => {
  const shingle = createShingler('plain');
  const text = 'a b c d e f g '.repeat(SHINGLED_UNITS / 14 + 2);
  expect(shingle(`${text} x y z`)).toEqual(createShingler('plain')(text.slice(0, 1 << 10)));
});

test('pieces put together are the text; none ends inside a pair', () => {
  for (const text of [...hostile, 'é'.repeat(50), '\u{20000}'.repeat(50)]) {
    const parts = [...pieces(text, 16)];
    expect(parts.join('')).toBe(text);
    for (const part of parts.slice(0, -1)) expect(part.length).toBeGreaterThan(0);
    for (const [i, part] of parts.entries())
      if (i > 0) expect(/[\uD800-\uDBFF]$/.test(parts[i - 1]!) && /^[\uDC00-\uDFFF]/.test(part)).toBe(false);
  }
});
