import { parseRanges, type Ranges } from './marks.ts';
import { ALPHA, ALPHA_LOWER, ALPHA_UPPER, CURRENCIES, ICONS, PUNCT, QUOTES, UNITS } from './spacy-classes.ts';
import { codePointAt, isHigh, isLow } from './units.ts';

// spaCy's prefixes, suffixes and infixes (spacy/lang/punctuation.py, spacy/lang/en/punctuation.py; MIT) as scans of
// bounded length at one place: as patterns they search the whole chunk for each affix.

/** Where languages differ. */
export interface Style {
  /** What a hyphen may follow to be cut out of a chunk: letters, letters and digits, or nothing. */
  hyphens: 'letters' | 'words' | 'none';
  /** `'s` and dashes are cut off the end. */
  possessive: boolean;
  /** A full stop is not cut off a number (`6.` is a word), nor a sign behind one cut out; a slash is cut off the end. */
  ordinals: boolean;
  /** `l'` is cut off the front, and `qu'il` behind the quote; `-vous` off the end. */
  french: boolean;
}

/** Rules of any language that has none of its own here, and those of English, German, Spanish and French. */
export const STYLES = {
  xx: { hyphens: 'letters', possessive: true, ordinals: false, french: false },
  en: { hyphens: 'words', possessive: true, ordinals: false, french: false },
  de: { hyphens: 'none', possessive: false, ordinals: true, french: false },
  es: { hyphens: 'none', possessive: false, ordinals: false, french: false },
  fr: { hyphens: 'letters', possessive: false, ordinals: false, french: true },
} as const satisfies Record<string, Style>;

const IS_ALPHA = 1;
const IS_LOWER = 2;
const IS_UPPER = 4;
const IS_ICON = 8;
const IS_PREFIX = 16;
const IS_SUFFIX = 32;
/** May stand before a full stop that is cut off. */
const BEFORE_STOP = 64;
const IS_QUOTE = 128;
const IS_CURRENCY = 256;

const TABLE = new Uint16Array(0x10000);
const ASTRAL: [number, number, number][] = [];

function mark(ranges: Ranges, flags: number): void {
  for (const [from, to] of parseRanges(ranges)) {
    for (let c = from; c <= Math.min(to, 0xffff); c++) TABLE[c]! |= flags;
    if (to > 0xffff) ASTRAL.push([Math.max(from, 0x10000), to, flags]);
  }
}

function markEach(characters: string, flags: number): void {
  for (const c of characters) TABLE[c.charCodeAt(0)]! |= flags;
}

mark(ALPHA, IS_ALPHA);
mark(ALPHA_LOWER, IS_LOWER | BEFORE_STOP);
mark(ALPHA_UPPER, IS_UPPER);
mark(ICONS, IS_ICON | IS_PREFIX | IS_SUFFIX);
markEach(PUNCT, IS_PREFIX | IS_SUFFIX | BEFORE_STOP);
markEach(QUOTES, IS_PREFIX | IS_SUFFIX | IS_QUOTE | BEFORE_STOP);
markEach('§%=—–', IS_PREFIX);
markEach('—–', IS_SUFFIX);
markEach('0123456789%²-+|', BEFORE_STOP);
for (const sign of CURRENCIES.filter((c) => c.length === 1)) markEach(sign, IS_PREFIX | IS_CURRENCY);

/** spaCy's classes of a code point. */
function flagsOf(codePoint: number): number {
  if (codePoint < 0x10000) return TABLE[codePoint]!;
  let flags = 0;
  for (const [from, to, flag] of ASTRAL) if (codePoint >= from && codePoint <= to) flags |= flag;
  return flags;
}

const flagsAt = (units: Uint16Array, i: number, end: number): number =>
  i >= end ? 0 : isHigh(units[i]!) ? flagsOf(codePointAt(units, i, end)) : TABLE[units[i]!]!;

/** Classes of the character that ends at `i`, if one lies at or after `start`. */
function flagsBefore(units: Uint16Array, start: number, i: number): number {
  if (i <= start) return 0;
  const unit = units[i - 1]!;
  return isLow(unit) && i - 2 >= start && isHigh(units[i - 2]!) ? flagsAt(units, i - 2, i) : TABLE[unit]!;
}

const unitsOf = (texts: readonly string[]): number[][] =>
  texts.map((t) => Array.from({ length: t.length }, (_, i) => t.charCodeAt(i)));

const LONG_CURRENCIES = unitsOf(CURRENCIES.filter((c) => c.length > 1));
/** By last code unit, longest first. */
const UNITS_BY_END = new Map<number, number[][]>();
for (const unit of unitsOf(UNITS).toSorted((a, b) => b.length - a.length)) {
  const last = unit.at(-1)!;
  UNITS_BY_END.set(last, [...(UNITS_BY_END.get(last) ?? []), unit]);
}

const isDigit = (unit: number | undefined): boolean => unit !== undefined && unit >= 0x30 && unit <= 0x39;

function standsAt(units: Uint16Array, i: number, end: number, wanted: readonly number[]): boolean {
  if (i + wanted.length > end) return false;
  for (let k = 0; k < wanted.length; k++) if (units[i + k] !== wanted[k]) return false;
  return true;
}

const DOT = 0x2e;
const SLASH = 0x2f;
const PLUS = 0x2b;
const DOLLAR = 0x24;
const ELLIPSIS = 0x2026;
const APOSTROPHE = 0x27;
const RIGHT_QUOTE = 0x2019;

/** Length of the prefix that is cut off a chunk; 0: none. */
export function prefixLength(units: Uint16Array, start: number, end: number, style: Style): number {
  const unit = units[start]!;
  if (style.french && ELIDED.has(unit) && isElision(units, start, start + 2, end)) return 2;
  const flags = flagsAt(units, start, end);
  if (flags & IS_PREFIX) return isHigh(unit) ? 2 : 1;
  if (unit === PLUS) return start + 1 < end && isDigit(units[start + 1]) ? 0 : 1;
  if (unit === DOT) {
    let i = start;
    while (i < end && units[i] === DOT) i++;
    return i - start >= 2 ? i - start : 0;
  }
  for (const sign of LONG_CURRENCIES) if (standsAt(units, start, end, sign)) return sign.length;
  return 0;
}

/** Length of the suffix that is cut off a chunk: the longest of those that fit; 0: none. */
export function suffixLength(units: Uint16Array, start: number, end: number, style: Style): number {
  if (start >= end) return 0;
  if (style.french) {
    const pronoun = pronounSuffix(units, start, end);
    if (pronoun > 0) return pronoun;
  }
  const last = units[end - 1]!;
  if (last === DOT) return dotSuffix(units, start, end, style);
  if (last === SLASH && style.ordinals) return 1;
  const longer = unitSuffix(units, start, end, last);
  if (longer > 0) return longer;
  if (last === ELLIPSIS && end - 2 >= start && units[end - 2] === ELLIPSIS) return 2;
  if (style.possessive && (last === 0x73 || last === 0x53) && end - 2 >= start) {
    const mark = units[end - 2];
    if (mark === APOSTROPHE || mark === RIGHT_QUOTE) return 2;
  }
  const flags = flagsBefore(units, start, end);
  if (flags & IS_SUFFIX) return isLow(last) && end - 2 >= start && isHigh(units[end - 2]!) ? 2 : 1;
  const afterDigit = end - 2 >= start && isDigit(units[end - 2]);
  return afterDigit && (last === PLUS || flags & IS_CURRENCY) ? 1 : 0;
}

/** Letters that French elides to before a vowel. */
const ELIDED = new Set(Array.from('dlnDLN', (c) => c.charCodeAt(0)));

/** Whether `i` stands behind a letter and a quote, and before a letter. */
export function isElision(units: Uint16Array, start: number, i: number, end: number): boolean {
  if (i - 2 < start || i >= end || (units[i - 1] !== APOSTROPHE && units[i - 1] !== RIGHT_QUOTE)) return false;
  return (flagsBefore(units, start, i - 1) & IS_ALPHA) !== 0 && (flagsAt(units, i, end) & IS_ALPHA) !== 0;
}

const PRONOUNS = unitsOf(
  'ce clés elle en il ils je là moi nous on t vous'.split(' ').flatMap((word) => [word, word.toUpperCase()]),
);
const FRENCH_HYPHENS = new Set(Array.from('-–—‐‑', (c) => c.charCodeAt(0)));

/** `-vous` and its kin behind a letter. */
function pronounSuffix(units: Uint16Array, start: number, end: number): number {
  for (const word of PRONOUNS) {
    const hyphen = end - word.length - 1;
    if (hyphen <= start || !FRENCH_HYPHENS.has(units[hyphen]!)) continue;
    if (standsAt(units, hyphen + 1, end, word) && flagsBefore(units, start, hyphen) & IS_ALPHA) return word.length + 1;
  }
  return 0;
}

/** A unit or a sign of money behind a digit. */
function unitSuffix(units: Uint16Array, start: number, end: number, last: number): number {
  const fits = (wanted: readonly number[]) => {
    const at = end - wanted.length;
    return at > start && isDigit(units[at - 1]) && standsAt(units, at, end, wanted);
  };
  if (last === DOLLAR) for (const sign of LONG_CURRENCIES) if (fits(sign)) return sign.length;
  for (const unit of UNITS_BY_END.get(last) ?? []) if (fits(unit)) return unit.length;
  return 0;
}

const CELSIUS = new Set(Array.from('FfCcKk', (c) => c.charCodeAt(0)));

function dotSuffix(units: Uint16Array, start: number, end: number, { ordinals }: Style): number {
  let i = end;
  while (i > start && units[i - 1] === DOT) i--;
  if (end - i >= 2) return end - i;
  const before = end - 1;
  const flags = flagsBefore(units, start, before);
  if (flags & BEFORE_STOP) return ordinals && isDigit(units[before - 1]) ? 0 : 1;
  if (before - 2 >= start && units[before - 2] === 0xb0 && CELSIUS.has(units[before - 1]!)) return 1;
  if (!(flags & IS_UPPER)) return 0;
  const wide = isLow(units[before - 1]!) ? 2 : 1;
  return flagsBefore(units, start, before - wide) & IS_UPPER ? 1 : 0;
}

const HYPHEN = 0x2d;
const EM_DASH = 0x2014;
const EN_DASH = 0x2013;
const TILDE = 0x7e;
const COMMA = 0x2c;

/** Length of the infix at `i` of a chunk; 0: none. */
export function infixLength(units: Uint16Array, start: number, i: number, end: number, style: Style): number {
  const unit = units[i]!;
  if (unit === DOT) {
    let k = i;
    while (k < end && units[k] === DOT) k++;
    if (k - i >= 2) return k - i;
    const before = flagsBefore(units, start, i) & (IS_LOWER | IS_QUOTE);
    return before && flagsAt(units, i + 1, end) & (IS_UPPER | IS_QUOTE) ? 1 : 0;
  }
  if (unit === ELLIPSIS) return 1;
  if (flagsAt(units, i, end) & IS_ICON) return isHigh(unit) ? 2 : 1;
  switch (unit) {
    case PLUS:
    case 0x2a: // *
    case 0x5e: // ^
      return betweenDigits(units, start, i, end) ? 1 : 0;
    case COMMA:
      return flagsBefore(units, start, i) & IS_ALPHA && flagsAt(units, i + 1, end) & IS_ALPHA ? 1 : 0;
    case HYPHEN:
      if (style !== STYLES.es && betweenDigits(units, start, i, end)) return 1;
      return hyphenLength(units, start, i, end, style, 3);
    case EM_DASH:
      return hyphenLength(units, start, i, end, style, 2);
    case EN_DASH:
    case TILDE:
      return hyphenLength(units, start, i, end, style, 1);
    case 0x3a: // :
    case 0x3c: // <
    case 0x3e: // >
    case 0x3d: // =
    case SLASH:
      return afterWord(units, start, i, !style.ordinals) && flagsAt(units, i + 1, end) & IS_ALPHA ? 1 : 0;
    default:
      return 0;
  }
}

function betweenDigits(units: Uint16Array, start: number, i: number, end: number): boolean {
  if (i <= start || !isDigit(units[i - 1]) || i + 1 >= end) return false;
  return isDigit(units[i + 1]) || units[i + 1] === HYPHEN;
}

const afterWord = (units: Uint16Array, start: number, i: number, digits: boolean): boolean =>
  (flagsBefore(units, start, i) & IS_ALPHA) !== 0 || (digits && i > start && isDigit(units[i - 1]));

/** One to `most` equal hyphens between words. */
function hyphenLength(
  units: Uint16Array,
  start: number,
  i: number,
  end: number,
  { hyphens }: Style,
  most: number,
): number {
  if (hyphens === 'none' || !afterWord(units, start, i, hyphens === 'words')) return 0;
  for (let length = 1; length <= most && units[i + length - 1] === units[i]; length++)
    if (flagsAt(units, i + length, end) & IS_ALPHA) return length;
  return 0;
}

/** A lower-case letter in spaCy's sense, at `i`. */
export const isLowerAt = (units: Uint16Array, i: number, end: number): boolean =>
  (flagsAt(units, i, end) & IS_LOWER) !== 0;
