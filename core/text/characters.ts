import { LINE_BREAKS, parseRanges, PUNCTUATION, PYTHON_WHITE, SENTENCE_ENDS, TERMINAL, type Ranges } from './marks.ts';

/** White space as Python sees it. */
export const WHITE = 1;
/** `\p{White_Space}`: without U+001C to U+001F. */
export const UNICODE_WHITE = 2;
/** `\p{L}`, which is Python's isalpha. */
export const LETTER = 4;
/** `[\p{L}\p{M}\p{N}_]`. */
export const WORD = 8;
/** datatrove's punctuation set, end marks included. */
export const MARK = 16;
/** datatrove's end marks. */
export const END_MARK = 32;
/** spaCy's sentence ends. */
export const SENTENCE_END = 64;
/** `\p{P}`. */
export const PUNCTUATION_CATEGORY = 128;
/** Where Python's splitlines() cuts. */
export const LINE_BREAK = 256;
/** `\p{Script=Han}`. */
export const HAN = 512;

const LISTS: [number, Ranges][] = [
  [WHITE, PYTHON_WHITE],
  [MARK, PUNCTUATION],
  [MARK | END_MARK, TERMINAL],
  [SENTENCE_END, SENTENCE_ENDS],
  [LINE_BREAK, LINE_BREAKS],
];
const PROPERTIES: [number, RegExp][] = [
  [UNICODE_WHITE, /\p{White_Space}+/gu],
  [LETTER, /\p{L}+/gu],
  [WORD, /[\p{L}\p{M}\p{N}_]+/gu],
  [PUNCTUATION_CATEGORY, /\p{P}+/gu],
  [HAN, /\p{Script=Han}+/gu],
];

/** Classes of the code points `from` to `to`, exclusive. Surrogates have none: a lone one is a character of no class. */
function classes(from: number, to: number): Uint16Array {
  const table = new Uint16Array(to - from);
  for (const [flag, ranges] of LISTS)
    for (const [first, last] of parseRanges(ranges))
      for (let c = Math.max(first, from); c <= Math.min(last, to - 1); c++) table[c - from]! |= flag;
  const step = 0x800;
  for (let start = from; start < to; start += step) {
    if (start === 0xd800) continue;
    const piece = String.fromCodePoint(...Array.from({ length: step }, (_, i) => start + i));
    const width = start > 0xffff ? 2 : 1;
    for (const [flag, pattern] of PROPERTIES)
      for (const match of piece.matchAll(pattern)) {
        const first = match.index / width;
        for (let i = 0; i < match[0].length / width; i++) table[start - from + first + i]! |= flag;
      }
  }
  return table;
}

/** Classes of the code units of the basic plane, by the unit. */
export const BASIC: Uint16Array = classes(0, 0x10000);

let astral: Uint16Array | undefined;
const ASTRAL_END = 0x32000;

/** Classes of any code point. The planes above the first are tabulated when one of them is met. */
export function classOf(codePoint: number): number {
  if (codePoint < 0x10000) return BASIC[codePoint]!;
  astral ??= classes(0x10000, ASTRAL_END);
  if (codePoint < ASTRAL_END) return astral[codePoint - 0x10000]!;
  return codePoint >= 0xe0100 && codePoint <= 0xe01ef ? WORD : 0;
}
