import { isSupportedCountry, parsePhoneNumberFromString, type CountryCode } from 'libphonenumber-js/max';
import { codeAt, digitOf, isWord } from './characters.ts';
import {
  gapAfter,
  groupCount,
  groupDigits,
  groupEnd,
  groupLength,
  groupStart,
  isBlank,
  isHyphen,
  type NumberRun,
} from './numbers.ts';
import { labelAfter, labelBefore, type Label } from './phone-labels.ts';
import type { Span } from './spans.ts';

/** ISO 3166 codes whose national numbers libphonenumber knows. */
export const isRegion = (code: string): code is CountryCode => isSupportedCountry(code);

/** ITU E.164: 15 digits; the shortest national numbers that are written in groups have seven. */
const MOST_DIGITS = 15;
const FEWEST_DIGITS = 7;
const MOST_GROUPS = 7;
/** A run of more groups is a table of numbers: only a plus or a bracket begins a phone number inside it. */
const TABLE = 16;

/**
 * Chinese mobile numbers: 1, then 3 to 9, eleven digits, compact or as 3-4-4, with +86, 0086 or 86 before. The newest
 * prefixes are too short-lived for a table.
 */
export function findChineseMobiles(text: string, run: NumberRun, out: Span[]): void {
  const count = groupCount(run);
  for (let i = 0; i < count; i++) {
    const found = mobileAt(text, run, i);
    if (!found) continue;
    out.push({ start: found.start, end: found.end, type: 'CN_MOBILE' });
    i = found.last;
  }
}

function mobileAt(text: string, run: NumberRun, i: number): { start: number; end: number; last: number } | null {
  if (groupLength(run, i) > MOST_DIGITS) return null;
  const digits = groupDigits(text, run, i);
  let start = groupStart(run, i);
  let last = i;
  let number = digits;
  if (digits === '86' || digits === '0086') {
    if (i + 1 >= groupCount(run) || !/^[)） -]{1,2}$/.test(gapAfter(text, run, i))) return null;
    last = i + 1;
    if (groupLength(run, last) > 11) return null;
    number = groupDigits(text, run, last);
  } else if (digits.length > 11) {
    if (!/^(?:00)?86\d{11}$/.test(digits)) return null;
    number = digits.slice(-11);
  }
  const gap = gapAfter(text, run, last);
  if (number.length === 3 && last + 2 < groupCount(run) && (isBlank(gap) || isHyphen(gap) || gap === '.')) {
    if (gapAfter(text, run, last + 1) !== gap) return null;
    number += groupDigits(text, run, last + 1) + groupDigits(text, run, last + 2);
    if (groupLength(run, last + 1) !== 4) return null;
    last += 2;
  }
  if (!/^1[3-9]\d{9}$/.test(number)) return null;
  start = openingOf(text, start);
  const end = groupEnd(run, last);
  // A slash parts two numbers that both are one; elsewhere it makes a date or a fraction.
  return alone(text, start, end, '.-') ? { start, end, last } : null;
}

/** No letter or digit beside it, nor one of `joiners` with a digit behind. */
function alone(text: string, start: number, end: number, joiners = '.-/'): boolean {
  if (isWord(codeAt(text, start - 1)) || isWord(codeAt(text, end))) return false;
  const joined = (mark: number, digit: number) => joiners.includes(String.fromCharCode(mark)) && digitOf(digit) >= 0;
  return !joined(codeAt(text, start - 1), codeAt(text, start - 2)) && !joined(codeAt(text, end), codeAt(text, end + 1));
}

/**
 * Phone numbers: with a plus wherever the country code is known; in a national form of one of `regions` where
 * libphonenumber finds them valid; in any form beside a word such as "phone" or 电话. Dates, and what another detector has
 * taken (`taken`, in text order), are left alone.
 */
export function findPhones(
  text: string,
  run: NumberRun,
  regions: readonly CountryCode[],
  taken: readonly Span[],
  out: Span[],
): void {
  const count = groupCount(run);
  for (let i = 0; i < count; i++) {
    const start = openingOf(text, groupStart(run, i));
    if (groupLength(run, i) > MOST_DIGITS || isTaken(taken, groupStart(run, i))) continue;
    if (count > TABLE && i > 0 && start === groupStart(run, i)) continue;
    const found = longest(text, run, i, start, regions, taken);
    if (!found) continue;
    out.push({ start, end: found.end, type: 'PHONE_NUMBER' });
    i = found.last;
  }
}

const isTaken = (taken: readonly Span[], at: number): boolean => taken.some((s) => at >= s.start && at < s.end);

/** Takes a plus before the digits in, and a bracket where it closes after the first few: `(+86)`, `+(49)`, `(951)`. */
function openingOf(text: string, start: number): number {
  if (start === 0 || !'+(（＋'.includes(text[start - 1]!)) return start;
  const opening = /(?:[+＋]?[(（]|[(（]?[+＋])$/.exec(text.slice(Math.max(0, start - 2), start))?.[0] ?? '';
  if (!/[(（]/.test(opening)) return start - opening.length;
  if (/^[0-9０-９]{1,5}[)）]/.test(text.slice(start, start + 6))) return start - opening.length;
  return /[+＋]$/.test(opening) ? start - 1 : start;
}

function longest(
  text: string,
  run: NumberRun,
  i: number,
  start: number,
  regions: readonly CountryCode[],
  taken: readonly Span[],
): { end: number; last: number } | null {
  const candidates: number[] = [];
  let digits = 0;
  for (let j = i; j < Math.min(groupCount(run), i + MOST_GROUPS); j++) {
    digits += groupLength(run, j);
    if (digits > MOST_DIGITS + 2 || isTaken(taken, groupStart(run, j))) break;
    if (digits >= FEWEST_DIGITS && balanced(text, start, groupEnd(run, j))) candidates.push(j);
  }
  if (candidates.length === 0) return null;
  const labelled = labelBefore(text, start);
  for (const j of candidates.toReversed()) {
    const end = groupEnd(run, j);
    const extended = withExtension(text, end);
    if (!alone(text, start, extended)) continue;
    if (accepts(text, run, i, j, start, labelled ?? labelAfter(text, extended), regions))
      return { end: extended, last: extended === end ? j : lastGroupBefore(run, j, extended) };
  }
  return null;
}

const lastGroupBefore = (run: NumberRun, from: number, end: number): number => {
  let last = from;
  while (last + 1 < groupCount(run) && groupStart(run, last + 1) < end) last++;
  return last;
};

function balanced(text: string, start: number, end: number): boolean {
  let open = 0;
  for (let i = start; i < end; i++) {
    const c = text[i]!;
    if (c === '(' || c === '（') open++;
    else if ((c === ')' || c === '）') && --open < 0) return false;
  }
  return open === 0;
}

/** `x123`, ` ext. 123`, `转123` after a number. */
function withExtension(text: string, end: number): number {
  const found = /^(?:[ ]?x[ ]?|,?[ ]?ext(?:ension|n)?[.:]?[ ]?|[ -]?转[ ]?|[ ]?#)(\d{1,6})(?![\w])/i.exec(
    text.slice(end, end + 24),
  );
  return found ? end + found[0].length : end;
}

function accepts(
  text: string,
  run: NumberRun,
  i: number,
  j: number,
  start: number,
  label: Label,
  regions: readonly CountryCode[],
): boolean {
  const written = text.slice(start, groupEnd(run, j)).normalize('NFKC');
  const groups = Array.from({ length: j - i + 1 }, (_, k) => groupDigits(text, run, i + k));
  const digits = groups.join('');
  if (isDate(groups) || (/\d\.\d{1,2}$/.test(written) && groups.length === 2)) return false;
  if (written.includes('+')) return isInternational(written, digits);
  if (digits.length > MOST_DIGITS || isCount(text, start, written) || isHours(groups, written)) return false;
  if (label === 'close' && digits.length >= FEWEST_DIGITS) return !/^(\d)\1+$/.test(digits);
  if (label === 'near' && groups.length > 1) return true;
  if (groups.length === 1 || label === 'other') return false;
  if (groups[0]!.startsWith('00') && /^00[1-9]/.test(digits)) return isInternational(`+${digits.slice(2)}`, digits);
  if (!hasOneKindOfGap(written)) return false;
  return regions.some((region) => hasNationalShape(groups, written, region) && isValid(written, region));
}

/** `0 1931 - 11.2 - 60` has two kinds of marks: a row of a table, not a number. */
const hasOneKindOfGap = (written: string): boolean =>
  new Set(written.match(/[-./\u2010-\u2013\u2212]/g)).size <= 1 && !/ [-./] /.test(written);

const isInternational = (written: string, digits: string): boolean => {
  if (digits.length < 8 || digits.length > MOST_DIGITS) return false;
  // A known country code is enough: tables of lengths are older than the numbers people write.
  return parsePhoneNumberFromString(written.slice(written.indexOf('+')).replace('(0)', '')) !== undefined;
};

const isValid = (written: string, region: CountryCode): boolean =>
  parsePhoneNumberFromString(written, region)?.isValid() ?? false;

/** A cheap look before the expensive one: 3-3-4 in North America, a trunk zero or 400/800 elsewhere. */
function hasNationalShape(groups: readonly string[], written: string, region: CountryCode): boolean {
  const lengths = groups.map((g) => g.length).join('-');
  if (region === 'US' || region === 'CA') return /^(?:1-)?3-3-4$/.test(lengths) && /^1?[2-9]/.test(groups.join(''));
  if (region === 'CN')
    return /^0\d{2,3}$/.test(groups[0]!)
      ? /^[34]-(?:7|8|3-4|4-4)$/.test(lengths)
      : /^[48]00$/.test(groups[0]!) && /^3-(?:3-4|4-3|7)$/.test(lengths);
  return /^0\d|^\(/.test(written);
}

/** What stands as often after a word such as "reached" or "message": 1 234 567 readers; vol. 12 (2004) 345-367. */
const THOUSANDS = /^[1-9]\d?([ .])\d{3}(?:\1\d{3})+$/;
const VOLUME = /^(?:\d{1,4} ?)?\((?:19|20)\d\d\)/;
const LEADS_TO_NUMBER = /(?:\b(?:at|on|is|no|nr|number)|[:：#])[\s.]{0,3}$/i;

const isCount = (text: string, start: number, written: string): boolean =>
  VOLUME.test(written) ||
  (THOUSANDS.test(written) && !LEADS_TO_NUMBER.test(text.slice(Math.max(0, start - 12), start)));

/** 9-12 13-17 18-20 */
const isHours = (groups: readonly string[], written: string): boolean =>
  groups.every((g) => g.length <= 2) && /\d[-\u2013]\d/.test(written) && /\d \d/.test(written);

/** 2024-01-31, 31.1.2024, 01/31/24, 1990-1999. */
function isDate(groups: readonly string[]): boolean {
  const n = groups.map(Number);
  const year = (k: number) => groups[k]!.length === 4 && n[k]! >= 1000 && n[k]! <= 2100;
  if (groups.length === 2) return year(0) && year(1);
  if (groups.length !== 3) return false;
  const short = (k: number) => groups[k]!.length <= 2 && n[k]! >= 1 && n[k]! <= 31;
  return (year(0) && short(1) && short(2)) || (year(2) && short(0) && short(1));
}
