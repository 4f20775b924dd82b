import { expect, test } from 'vitest';
import {
  codePoints,
  codeUnits,
  splitFeeds,
  splitLines,
  trimEnd,
  trimStart,
  type Spans,
} from '../../../core/text/index.ts';
import { BASIC, classOf, END_MARK, HAN, LETTER, MARK, WHITE, WORD } from '../../../core/text/characters.ts';

const pieces = (text: string, { count, bounds }: Spans) =>
  Array.from({ length: count }, (_, i) => text.slice(bounds[2 * i], bounds[2 * i + 1]));

test.each([
  ['', []],
  ['a', ['a']],
  ['a\n', ['a']],
  ['a\n\nb', ['a', '', 'b']],
  ['a\r\nb\rc', ['a', 'b', 'c']],
  ['\n', ['']],
  ['a\u001cb\u2028c\u0085d\u001fe', ['a', 'b', 'c', 'd\u001fe']],
])('lines of %j as Python cuts them', (text, want) => {
  expect(pieces(text, splitLines(codeUnits(text)))).toEqual(want);
});

test.each(['', '\n', 'a\nb', '\n\na\r\n'])('parts of %j between line feeds', (text) => {
  expect(pieces(text, splitFeeds(codeUnits(text)))).toEqual(text.split('\n'));
});

test.each([
  ['\u001f\u3000 a b\u0085\u00a0', 'a b'],
  ['\uFEFFa\u200B', '\uFEFFa\u200B'],
  ['\u2003\u2028', ''],
])('%j without white space at its ends, as Python sees it', (text, want) => {
  const units = codeUnits(text);
  const start = trimStart(units, 0, units.length);
  expect(text.slice(start, trimEnd(units, start, units.length))).toBe(want);
});

test.each([
  ['', 0],
  ['a🙂b', 3],
  ['\uD800\uD800', 2],
  ['\uDC00\uD800', 2],
  ['🙂\uD83D', 2],
])('code points of %j', (text, length) => {
  expect(codePoints(codeUnits(text))).toBe(length);
  expect(Array.from(text)).toHaveLength(length);
});

test('every character of the basic plane has the classes that its patterns say', () => {
  for (let c = 0; c < 0x10000; c++) {
    if (c >= 0xd800 && c < 0xe000) {
      expect(BASIC[c]).toBe(0);
      continue;
    }
    const text = String.fromCharCode(c);
    const got = [BASIC[c]! & LETTER, BASIC[c]! & WORD, BASIC[c]! & HAN].map((flag) => flag !== 0);
    const want = [/\p{L}/u, /[\p{L}\p{M}\p{N}_]/u, /\p{Script=Han}/u].map((pattern) => pattern.test(text));
    if (got.join() !== want.join()) expect([c, got]).toEqual([c, want]);
  }
});

test.each([
  ['。', MARK | END_MARK],
  ['１', MARK],
  ['\u0000', MARK],
  ['\u000e', MARK],
  ['\t', WHITE],
  ['”', MARK],
])('datatrove’s classes of %j', (text, flags) => {
  expect(classOf(text.codePointAt(0)!) & (MARK | END_MARK | WHITE)).toBe(flags);
});

test.each([
  ['𠀀', LETTER | WORD | HAN],
  ['𝒜', LETTER | WORD],
  ['🙂', 0],
  ['\u{E0100}', WORD],
  ['\u{10FFFF}', 0],
  ['𑁇', MARK | END_MARK],
])('classes above the basic plane: %s', (text, flags) => {
  expect(classOf(text.codePointAt(0)!) & (LETTER | WORD | HAN | MARK | END_MARK)).toBe(flags);
});
