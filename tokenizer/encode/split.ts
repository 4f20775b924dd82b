import { classTable, LETTER, LOWER_SIDE, MARK, NUMBER, UPPER_SIDE, WHITE_SPACE, type ClassTable } from './classes.ts';
import type { SplitName } from './patterns.ts';

const WORDLIKE = WHITE_SPACE | LETTER | NUMBER;
const APOSTROPHE = 0x27;
const SPACE = 0x20;
const SLASH = 0x2f;

/** Text under the splitter; `length` is that of the character last looked at [bytes]. */
interface Cursor extends ClassTable {
  s: Uint8Array;
  length: number;
}

/**
 * The splitter of split.h in TypeScript: `next(i)` is where the pre-token that starts at byte i ends. Linear time; any
 * bytes are allowed (one that is no UTF-8 is a character without class).
 */
export function openSplitter(bytes: Uint8Array, split: SplitName): (i: number) => number {
  const t: Cursor = { s: bytes, length: 0, ...classTable() };
  if (split === 'gpt2') return (i) => nextGpt2(t, i);
  return split === 'cl100k' ? (i) => nextCl100k(t, i) : (i) => nextO200k(t, i);
}

/** Class bits of the character at byte i. */
export const classOf = (bytes: Uint8Array, i: number): number =>
  i < bytes.length ? classAt({ s: bytes, length: 0, ...classTable() }, i) : 0;

function classAt(t: Cursor, i: number): number {
  const { s } = t;
  let c = s[i]!;
  t.length = 1;
  if (c < 0x80) return t.classes[c]!;
  if (c < 0xc0) return 0;
  const left = s.length - i;
  const tail = (k: number) => (s[i + k]! & 0xc0) === 0x80;
  if (c < 0xe0) {
    if (left < 2 || !tail(1)) return 0;
    t.length = 2;
    c = ((c & 0x1f) << 6) | (s[i + 1]! & 0x3f);
  } else if (c < 0xf0) {
    if (left < 3 || !tail(1) || !tail(2)) return 0;
    t.length = 3;
    c = ((c & 0x0f) << 12) | ((s[i + 1]! & 0x3f) << 6) | (s[i + 2]! & 0x3f);
  } else {
    if (left < 4 || !tail(1) || !tail(2) || !tail(3)) return 0;
    c = ((c & 0x0f) << 18) | ((s[i + 1]! & 0x3f) << 12) | ((s[i + 2]! & 0x3f) << 6) | (s[i + 3]! & 0x3f);
    if (c >= 0x110000) return 0;
    t.length = 4;
  }
  return t.classes[t.blocks[c >> 8]! * 256 + (c & 0xff)]!;
}

function runOf(t: Cursor, i: number, any: number): number {
  while (i < t.s.length && classAt(t, i) & any) i += t.length;
  return i;
}

function runOfOthers(t: Cursor, i: number): number {
  while (i < t.s.length && !(classAt(t, i) & WORDLIKE)) i += t.length;
  return i;
}

const isBreak = (c: number | undefined) => c === 13 || c === 10;

function endOfSpace(t: Cursor, i: number, breaks: boolean): number {
  let last = i;
  let end = i;
  let afterBreak = -1;
  while (end < t.s.length && classAt(t, end) & WHITE_SPACE) {
    last = end;
    end += t.length;
    if (isBreak(t.s[last])) afterBreak = end;
  }
  if (breaks && afterBreak >= 0) return afterBreak;
  return end === t.s.length || last === i ? end : last;
}

const letter = (c: string) => c.charCodeAt(0);
const [S, T, M, D, R, V, L, E] = ['s', 't', 'm', 'd', 'r', 'v', 'l', 'e'].map(letter) as [
  number,
  number,
  number,
  number,
  number,
  number,
  number,
  number,
];
const isPair = (a: number, b: number) => (a === R && b === E) || (a === V && b === E) || (a === L && b === L);
const isSingle = (a: number) => a === S || a === T || a === M || a === D;

function contraction(t: Cursor, i: number): number {
  if (t.s[i] !== APOSTROPHE) return 0;
  const a = t.s[i + 1] ?? 0;
  const b = t.s[i + 2] ?? 0;
  if (a === 0xc5 && b === 0xbf) return 3;
  if (isSingle(a | 0x20)) return 2;
  return isPair(a | 0x20, b | 0x20) ? 3 : 0;
}

function nextGpt2(t: Cursor, i: number): number {
  const c = t.s[i];
  if (c === APOSTROPHE) {
    const a = t.s[i + 1] ?? 0;
    if (isSingle(a)) return i + 2;
    if (isPair(a, t.s[i + 2] ?? 0)) return i + 3;
  }
  let kind = classAt(t, i);
  let start = i;
  if (c === SPACE && i + 1 < t.s.length) {
    const next = classAt(t, i + 1);
    if (!(next & WHITE_SPACE)) [kind, start] = [next, i + 1];
  }
  if (kind & LETTER) return runOf(t, start, LETTER);
  if (kind & NUMBER) return runOf(t, start, NUMBER);
  return kind & WHITE_SPACE ? endOfSpace(t, i, false) : runOfOthers(t, start);
}

function nextWithoutLetters(t: Cursor, i: number, kind: number, slash: boolean): number {
  if (kind & NUMBER) {
    let end = i;
    for (let k = 0; k < 3 && end < t.s.length && classAt(t, end) & NUMBER; k++) end += t.length;
    return end;
  }
  let start = i;
  if (t.s[i] === SPACE && i + 1 < t.s.length) {
    const next = classAt(t, i + 1);
    if (!(next & WHITE_SPACE)) [kind, start] = [next, i + 1];
  }
  if (kind & WORDLIKE) return endOfSpace(t, i, true);
  let end = runOfOthers(t, start);
  while (isBreak(t.s[end]) || (slash && t.s[end] === SLASH)) end++;
  return end;
}

function nextCl100k(t: Cursor, i: number): number {
  const shortened = contraction(t, i);
  if (shortened) return i + shortened;
  const kind = classAt(t, i);
  const after = i + t.length;
  if (kind & LETTER) return runOf(t, i, LETTER);
  if (!(kind & NUMBER) && !isBreak(t.s[i]) && after < t.s.length && classAt(t, after) & LETTER)
    return runOf(t, after, LETTER);
  return nextWithoutLetters(t, i, kind, false);
}

/** The end of [upper side]*[lower side]+ from i, or -1; `upperEnd` is where the upper side ends. */
function casedWord(t: Cursor, i: number): { end: number; upperEnd: number } {
  let upperEnd = i;
  let bothEnd = -1;
  let kind = 0;
  while (upperEnd < t.s.length && (kind = classAt(t, upperEnd)) & UPPER_SIDE) {
    upperEnd += t.length;
    if (kind & LOWER_SIDE) bothEnd = upperEnd;
  }
  const lower = upperEnd < t.s.length && kind & LOWER_SIDE;
  return { end: lower ? runOf(t, upperEnd, LOWER_SIDE) : bothEnd, upperEnd };
}

function nextO200k(t: Cursor, i: number): number {
  const kind = classAt(t, i);
  const start = i + t.length;
  let end = -1;
  if (kind & LETTER) {
    const word = casedWord(t, i);
    end = word.end < 0 ? word.upperEnd : word.end;
  } else if (!(kind & NUMBER) && !isBreak(t.s[i])) {
    const word = casedWord(t, start);
    end = word.end;
    if (end < 0 && kind & MARK) end = casedWord(t, i).end;
    else if (end < 0 && word.upperEnd > start) end = word.upperEnd;
  }
  return end >= 0 ? end + contraction(t, end) : nextWithoutLetters(t, i, kind, true);
}
