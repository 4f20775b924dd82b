import { codeAt, digitOf, digitsOf, isWord } from './characters.ts';

/** Groups of digits with at most three separators between two of them: `+49 (0)30 / 901-820` is one run of five groups. */
export interface NumberRun {
  /** Starts and ends of the groups, in turn. */
  bounds: number[];
}

/** Groups of digits in a run [count]. */
export const groupCount = (run: NumberRun): number => run.bounds.length >> 1;
/** Where group i begins [UTF-16 code units]. */
export const groupStart = (run: NumberRun, i: number): number => run.bounds[2 * i]!;
/** Where group i ends. */
export const groupEnd = (run: NumberRun, i: number): number => run.bounds[2 * i + 1]!;
/** Digits of group i [count]. */
export const groupLength = (run: NumberRun, i: number): number => groupEnd(run, i) - groupStart(run, i);
/** The digits of group i. */
export const groupDigits = (text: string, run: NumberRun, i: number): string =>
  digitsOf(text, groupStart(run, i), groupEnd(run, i));

/** What stands between group i and the next. */
export const gapAfter = (text: string, run: NumberRun, i: number): string =>
  i + 1 < groupCount(run) ? text.slice(groupEnd(run, i), groupStart(run, i + 1)) : '';

/** Longer runs (tables of numbers) are cut: no value of any type has so many groups. */
const LONGEST_RUN = 64;

/** The runs of a text, in order: one pass, so that a text without digits costs one look at each code unit. */
export function* numberRuns(text: string): Generator<NumberRun> {
  const n = text.length;
  let bounds: number[] = [];
  for (let i = 0; i < n; i++) {
    const code = text.charCodeAt(i);
    if ((code > 0x39 && code < 0xff10) || digitOf(code) < 0) continue;
    let end = i + 1;
    while (end < n && digitOf(text.charCodeAt(end)) >= 0) end++;
    if (bounds.length > 0 && !joins(text, bounds.at(-1)!, i)) {
      yield { bounds };
      bounds = [];
    }
    bounds.push(i, end);
    if (bounds.length >= 2 * LONGEST_RUN) {
      yield { bounds };
      bounds = [];
    }
    i = end;
  }
  if (bounds.length > 0) yield { bounds };
}

function joins(text: string, from: number, to: number): boolean {
  if (to - from > 3) return false;
  for (let i = from; i < to; i++) if (!isSeparator(text.charCodeAt(i))) return false;
  return true;
}

const SEPARATORS = new Set(
  [...' \u00a0\u2009\u202f\u3000-\u2010\u2011\u2012\u2013\u2014\u2212\uff0d.()/+（）'].map((c) => c.charCodeAt(0)),
);

const isSeparator = (code: number): boolean => SEPARATORS.has(code);

/** A gap that is one blank. */
export const isBlank = (gap: string): boolean =>
  gap === ' ' || gap === '\u00a0' || gap === '\u3000' || gap === '\u202f';

/** A gap that is one hyphen or dash. */
export const isHyphen = (gap: string): boolean =>
  gap.length === 1 && '-\u2010\u2011\u2012\u2013\u2014\u2212\uff0d'.includes(gap);

/** True where groups i to j are no part of a longer word, and of no decimal number or hyphenated serial number. */
export function standsAlone(text: string, run: NumberRun, i: number, j: number): boolean {
  const start = groupStart(run, i);
  const end = groupEnd(run, j);
  if (isWord(codeAt(text, start - 1)) || isWord(codeAt(text, end))) return false;
  const before = codeAt(text, start - 1);
  if ((before === 0x2e || before === 0x2d) && digitOf(codeAt(text, start - 2)) >= 0) return false;
  const after = codeAt(text, end);
  return !((after === 0x2e || after === 0x2d) && digitOf(codeAt(text, end + 1)) >= 0);
}
