import { calibrationError } from './preference-losses.ts';

/** A pair that a reward model has scored without having learned from it: a line of `held-out.jsonl`. */
export interface HeldOutPair {
  id: string;
  source: string;
  fold: number;
  /** Scores of both answers. */
  chosen: number;
  rejected: number;
  /** Of both texts [UTF-16 code units]. */
  chosen_length: number;
  rejected_length: number;
  /** Margin of a logistic regression on tokens that has learned from the same pairs; null where there were too many. */
  ngrams: number | null;
}

/** How often a reward model is right on pairs that it has not seen, beside a rule that needs no model. */
export interface HeldOutReport {
  pairs: number;
  /** Share of the pairs in which the chosen answer scores higher; equal ones count half. */
  accuracy: number;
  standard_error: number;
  /** The same for "the longer answer wins". */
  longer: number;
  /** The same for the better of "longer" and "shorter", chosen part by part with the labels in hand. */
  longer_or_shorter: number;
  /** The same for a logistic regression on tokens and pairs of tokens; null where none was made. */
  ngrams: number | null;
  /** accuracy − longer, and its standard error over the pairs. */
  over_longer: number;
  over_longer_error: number;
  /** Expected calibration error of σ(difference of scores). */
  calibration_error: number;
}

const wins = (a: number, b: number): number => (a > b ? 1 : a === b ? 0.5 : 0);
const meanOf = (values: readonly number[]): number =>
  values.reduce((sum, v) => sum + v, 0) / Math.max(1, values.length);
const errorOf = (values: readonly number[]): number => {
  const mean = meanOf(values);
  return Math.sqrt(
    values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / Math.max(1, values.length - 1) / Math.max(1, values.length),
  );
};

/** Counts up held-out pairs: all of them, and each part by its source. */
export function reportHeldOut(pairs: readonly HeldOutPair[]): HeldOutReport & { parts: Record<string, HeldOutReport> } {
  const bySource = new Map<string, HeldOutPair[]>();
  for (const pair of pairs) bySource.set(pair.source, [...(bySource.get(pair.source) ?? []), pair]);
  const parts = Object.fromEntries(
    [...bySource].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([source, some]) => [source, count(some)]),
  );
  const best =
    Object.values(parts).reduce((sum, p) => sum + p.pairs * p.longer_or_shorter, 0) / Math.max(1, pairs.length);
  return { ...count(pairs), longer_or_shorter: best, parts };
}

function count(pairs: readonly HeldOutPair[]): HeldOutReport {
  const right = pairs.map((p) => wins(p.chosen, p.rejected));
  const byLength = pairs.map((p) => wins(p.chosen_length, p.rejected_length));
  const difference = right.map((r, i) => r - byLength[i]!);
  const longer = meanOf(byLength);
  const words = pairs.flatMap((p) => (p.ngrams === null ? [] : [wins(p.ngrams, 0)]));
  return {
    pairs: pairs.length,
    accuracy: meanOf(right),
    standard_error: errorOf(right),
    longer,
    longer_or_shorter: Math.max(longer, 1 - longer),
    ngrams: words.length === pairs.length ? meanOf(words) : null,
    over_longer: meanOf(difference),
    over_longer_error: errorOf(difference),
    calibration_error: calibrationError(pairs.map((p) => p.chosen - p.rejected)),
  };
}

/** A report in lines for a terminal. */
export function heldOutLines({ parts, ...all }: ReturnType<typeof reportHeldOut>): string[] {
  const percent = (share: number) => (100 * share).toFixed(1);
  const line = (name: string, r: HeldOutReport) =>
    `${name}: right on ${percent(r.accuracy)} ± ${percent(r.standard_error)} % of ${r.pairs} held-out pairs; "the longer wins" ${percent(r.longer)}, the better of longer and shorter ${percent(r.longer_or_shorter)}${r.ngrams === null ? '' : `, n-grams ${percent(r.ngrams)}`}; calibration error ${r.calibration_error.toFixed(3)}`;
  return [
    line('all', all),
    `above "the longer wins" by ${percent(all.over_longer)} ± ${percent(all.over_longer_error)} points (standard error of the paired difference)`,
    ...(Object.keys(parts).length > 1 ? Object.entries(parts).map(([name, r]) => line(name, r)) : []),
  ];
}
