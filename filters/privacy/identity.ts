import { codeAt, isWord } from './characters.ts';
import {
  gapAfter,
  groupCount,
  groupDigits,
  groupEnd,
  groupLength,
  groupStart,
  isBlank,
  isHyphen,
  standsAlone,
  type NumberRun,
} from './numbers.ts';
import type { Span } from './spans.ts';

/** GB/T 2260 provinces, 91 to 95 for residents from abroad. */
const PROVINCES = new Set(
  '11 12 13 14 15 21 22 23 31 32 33 34 35 36 37 41 42 43 44 45 46 50 51 52 53 54 61 62 63 64 65 71 81 82 83 91'.split(
    ' ',
  ),
);
const WEIGHTS = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
/** Births after this year are none; a fixed year, since output may not depend on the clock. */
const LATEST_BIRTH = 2030;

/**
 * Chinese resident identity numbers (GB 11643): 18 characters with province, a date that exists and the check character
 * of ISO 7064 MOD 11-2, also as 6-8-4; 15 digits of the old form only after a label.
 */
export function findChineseIds(text: string, run: NumberRun, out: Span[]): void {
  const count = groupCount(run);
  for (let i = 0; i < count; i++) {
    const length = groupLength(run, i);
    if (length === 17 || length === 18) one(text, run, i, out);
    else if (length === 15) old(text, run, i, out);
    else if (length === 6 && i + 2 < count && parted(text, run, i)) grouped(text, run, i, out);
  }
}

function one(text: string, run: NumberRun, i: number, out: Span[]): void {
  const start = groupStart(run, i);
  const digits = groupDigits(text, run, i);
  const end = digits.length === 17 ? closingX(text, groupEnd(run, i)) : groupEnd(run, i);
  if (end === -1 || isWord(codeAt(text, start - 1)) || isWord(codeAt(text, end))) return;
  if (isChineseId(digits.length === 17 ? `${digits}X` : digits)) out.push({ start, end, type: 'CN_ID' });
}

const closingX = (text: string, at: number): number => (/^[xXｘＸ]/.test(text.slice(at, at + 1)) ? at + 1 : -1);

const parted = (text: string, run: NumberRun, i: number): boolean => {
  const gap = gapAfter(text, run, i);
  return (isBlank(gap) || isHyphen(gap)) && gapAfter(text, run, i + 1) === gap && groupLength(run, i + 1) === 8;
};

function grouped(text: string, run: NumberRun, i: number, out: Span[]): void {
  const last = groupLength(run, i + 2);
  const end = last === 3 ? closingX(text, groupEnd(run, i + 2)) : last === 4 ? groupEnd(run, i + 2) : -1;
  if (end === -1 || isWord(codeAt(text, groupStart(run, i) - 1)) || isWord(codeAt(text, end))) return;
  const digits = [0, 1, 2].map((k) => groupDigits(text, run, i + k)).join('');
  if (isChineseId(last === 3 ? `${digits}X` : digits)) out.push({ start: groupStart(run, i), end, type: 'CN_ID' });
}

function old(text: string, run: NumberRun, i: number, out: Span[]): void {
  const start = groupStart(run, i);
  const digits = groupDigits(text, run, i);
  if (!standsAlone(text, run, i, i) || !PROVINCES.has(digits.slice(0, 2))) return;
  if (!/(?:身份证|证件|身分證)[^\d\n]{0,8}$/.test(text.slice(Math.max(0, start - 16), start))) return;
  if (isDate(1900 + Number(digits.slice(6, 8)), Number(digits.slice(8, 10)), Number(digits.slice(10, 12))))
    out.push({ start, end: groupEnd(run, i), type: 'CN_ID' });
}

/** 17 digits and a digit or X. */
function isChineseId(id: string): boolean {
  if (!PROVINCES.has(id.slice(0, 2))) return false;
  const year = Number(id.slice(6, 10));
  if (year < 1900 || year > LATEST_BIRTH) return false;
  if (!isDate(year, Number(id.slice(10, 12)), Number(id.slice(12, 14)))) return false;
  const sum = WEIGHTS.reduce((s, w, i) => s + w * (id.charCodeAt(i) - 48), 0);
  return '10X98765432'[sum % 11] === id[17];
}

function isDate(year: number, month: number, day: number): boolean {
  if (month < 1 || month > 12 || day < 1) return false;
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  return day <= [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1]!;
}

const SSN_LABEL = /\b(?:ssn|social security)\b[^\n]{0,24}$/i;
/** Numbers of advertisements, never anybody's. */
const NOBODYS = new Set(['078051120', '219099999', '457555462']);

/** US social security numbers: 3-2-4 with hyphens, with blanks or as nine digits only after a label; no area 000, 666, 9xx. */
export function findSsns(text: string, run: NumberRun, out: Span[]): void {
  const count = groupCount(run);
  for (let i = 0; i < count; i++) {
    const whole = groupLength(run, i) === 9;
    if (
      !whole &&
      !(i + 2 < count && groupLength(run, i) === 3 && groupLength(run, i + 1) === 2 && groupLength(run, i + 2) === 4)
    )
      continue;
    const j = whole ? i : i + 2;
    const gap = whole ? '' : gapAfter(text, run, i);
    if (!whole && gapAfter(text, run, i + 1) !== gap) continue;
    const start = groupStart(run, i);
    const digits = Array.from({ length: j - i + 1 }, (_, k) => groupDigits(text, run, i + k)).join('');
    if (!standsAlone(text, run, i, j) || !isSsn(digits)) continue;
    if (!isHyphen(gap) && !((whole || isBlank(gap)) && SSN_LABEL.test(text.slice(Math.max(0, start - 48), start))))
      continue;
    out.push({ start, end: groupEnd(run, j), type: 'US_SSN' });
    i = j;
  }
}

const isSsn = (d: string): boolean =>
  !/^(?:000|666|9)/.test(d) && d.slice(3, 5) !== '00' && d.slice(5) !== '0000' && !NOBODYS.has(d);
