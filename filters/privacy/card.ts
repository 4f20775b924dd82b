import { codeAt, digitOf } from './characters.ts';
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

/** ISO/IEC 7812: 19 digits at most. */
const LONGEST = 19;

const LABEL = /\b(?:card|cards|cc|visa|mastercard|amex|maestro|credit|debit|payment)\b|卡/i;

/**
 * Payment cards: a brand's prefix with a length the brand issues, and the Luhn sum. Compact, or in groups of one kind of
 * separator. Short numbers of Maestro's wide range need a word such as "card" before them, since every tenth bar code
 * would do; so do groups inside a table of numbers.
 */
export function findCards(text: string, run: NumberRun, out: Span[]): void {
  const count = groupCount(run);
  for (let i = 0; i < count; i++) {
    const j = cardEnd(text, run, i, count);
    if (j === -1) continue;
    out.push({ start: groupStart(run, i), end: groupEnd(run, j), type: 'CREDIT_CARD' });
    i = j;
  }
}

/** The last group of the longest card that starts with group i, or -1. */
function cardEnd(text: string, run: NumberRun, i: number, count: number): number {
  let digits = '';
  let found = -1;
  const kind = gapAfter(text, run, i);
  for (let j = i; j < count && j < i + 8; j++) {
    if (j > i && !(gapAfter(text, run, j - 1) === kind && (isBlank(kind) || isHyphen(kind)))) break;
    if (digits.length + groupLength(run, j) > LONGEST) break;
    digits += groupDigits(text, run, j);
    if (digits.length < 12 || !hasShape(run, i, j)) continue;
    const hasLabel = () => LABEL.test(text.slice(Math.max(0, groupStart(run, i) - 32), groupStart(run, i)));
    if (!isCard(digits, hasLabel) || !standsAlone(text, run, i, j) || afterSign(text, groupStart(run, i))) continue;
    if (j === i || !isBlank(gapAfter(text, run, i - 1)) || hasLabel()) found = j;
  }
  return found;
}

/** A plus before the digits makes them a phone number. */
const afterSign = (text: string, start: number): boolean =>
  codeAt(text, start - 1) === 0x2b && digitOf(codeAt(text, start)) >= 0;

/** One group; fours with a shorter or longer last group; 4-6-4, 4-6-5; 6-13. */
function hasShape(run: NumberRun, i: number, j: number): boolean {
  if (i === j) return true;
  const lengths = Array.from({ length: j - i + 1 }, (_, k) => groupLength(run, i + k));
  const shape = lengths.join('-');
  if (shape === '4-6-4' || shape === '4-6-5' || shape === '6-13' || shape === '8-8') return true;
  return lengths.length >= 3 && lengths.slice(0, -1).every((n) => n === 4) && lengths.at(-1)! <= 7;
}

function isCard(digits: string, hasLabel: () => boolean): boolean {
  const brand = brandOf(digits);
  if (brand === null || !luhn(digits) || /^(\d)\1+$/.test(digits)) return false;
  return brand !== 'wide' || digits.length === 16 || hasLabel();
}

/** Prefixes under which Maestro cards are known to be issued. */
const MAESTRO = new Set([5018, 5020, 5038, 5612, 5893, 6304, 6390, 6759, 6761, 6762, 6763, 6765]);

/** `sure` for a range of one brand, `wide` for Maestro's whole range, null for no card. Lengths with the ranges. */
function brandOf(digits: string): 'sure' | 'wide' | null {
  const n = digits.length;
  const p2 = Number(digits.slice(0, 2));
  const p3 = Number(digits.slice(0, 3));
  const p4 = Number(digits.slice(0, 4));
  if (digits[0] === '4') return n === 13 || n === 16 || n === 19 ? 'sure' : null;
  if ((p2 >= 51 && p2 <= 55) || (p4 >= 2221 && p4 <= 2720)) return n === 16 ? 'sure' : null;
  if (p4 >= 2200 && p4 <= 2204) return n >= 16 ? 'sure' : null;
  if (p2 === 34 || p2 === 37) return n === 15 ? 'sure' : null;
  if (p2 === 36 || p2 === 38 || p2 === 39 || (p3 >= 300 && p3 <= 305) || p3 === 309) return n >= 14 ? 'sure' : null;
  if (p2 === 35) return n >= 16 ? 'sure' : null;
  if (p4 === 1800 || p4 === 2131) return n === 15 ? 'sure' : null;
  if (p2 === 62 || p2 === 81) return n >= 16 ? 'sure' : n >= 13 ? 'wide' : null;
  if (p4 === 6011 || (p3 >= 644 && p3 <= 649) || p2 === 65) return n >= 16 ? 'sure' : 'wide';
  if (MAESTRO.has(p4)) return n >= 16 ? 'sure' : 'wide';
  if (p2 === 50 || p4 === 604 || (p2 >= 56 && p2 <= 69)) return 'wide';
  return digits.startsWith('9792') && n === 16 ? 'sure' : null;
}

/** ISO/IEC 7812-1, annex B. */
function luhn(digits: string): boolean {
  let sum = 0;
  for (let i = 0; i < digits.length; i++) {
    const d = digits.charCodeAt(digits.length - 1 - i) - 48;
    sum += i % 2 === 0 ? d : d < 5 ? 2 * d : 2 * d - 9;
  }
  return sum % 10 === 0;
}
