import type { Turn } from '../../core/records/index.ts';
import { permutation } from '../loader/permutation.ts';

/** A prompt as it is made or read, with the answer that a checker compares with, where there is one. */
export interface Asked {
  id: string;
  turns: Turn[];
  reference: string | null;
}

export type SumSplit = 'train' | 'selection' | 'test';

export interface SumOptions {
  /** Of the splits (default 0). */
  seed?: number;
  /** Pairs a split holds, whatever their order: (23, 45) and (45, 23) are one. */
  selection?: number;
  test?: number;
}

const [LOW, HIGH] = [10, 99];
const NUMBERS = HIGH - LOW + 1;
const PAIRS = (NUMBERS * (NUMBERS + 1)) / 2;

const FORMS = {
  en: (a: number, b: number) => `What is ${a} + ${b}?`,
  zh: (a: number, b: number) => `${a}加${b}等于多少？`,
} as const;
const LANGUAGES = ['en', 'zh'] as const;

/**
 * Sums of two two-digit numbers in English and Chinese, in a seeded order. Both orders of a pair are in one split, so that no
 * pair of one is in another. In training each is asked in both languages, elsewhere in one.
 */
export function madeSums(split: SumSplit, { seed = 0, selection = 150, test = 600 }: SumOptions = {}): Asked[] {
  if (selection + test >= PAIRS) throw new RangeError(`${selection} and ${test} of ${PAIRS} pairs leave none to train`);
  const order = permutation(PAIRS, seed, 0);
  const [from, to] =
    split === 'test' ? [0, test] : split === 'selection' ? [test, test + selection] : [test + selection, PAIRS];
  const made: Asked[] = [];
  for (let i = from; i < to; i++) {
    const [a, b] = pairAt(order(i));
    const both: [number, number][] = a === b ? [[a, b]] : [[a, b], [b, a]]; // prettier-ignore
    both.forEach(([x, y], turned) => {
      const languages = split === 'train' ? LANGUAGES : [LANGUAGES[(i + turned) % 2]!];
      for (const language of languages) made.push(sumOf(x, y, language));
    });
  }
  return made;
}

const sumOf = (a: number, b: number, language: (typeof LANGUAGES)[number]): Asked => ({
  id: `sum-${language}-${a}-${b}`,
  turns: [{ role: 'user', content: FORMS[language](a, b) }],
  reference: String(a + b),
});

/** The pair a ≤ b of a number below PAIRS. */
function pairAt(number: number): [number, number] {
  let a = 0;
  for (let left = number; ; a++) {
    const row = NUMBERS - a;
    if (left < row) return [LOW + a, LOW + a + left];
    left -= row;
  }
}

/** The numbers that a text names, in digits of either width, thousands apart or not. */
export const numbersIn = (text: string): number[] =>
  [
    ...text
      .normalize('NFKC')
      .replaceAll(/(?<=\d),(?=\d{3}(?!\d))/g, '')
      .matchAll(/(?<![\d.])-?\d{1,15}(?![\d])/g),
  ].map(([digits]) => Number(digits));

/** What the numbers that a question joins by a plus add up to (English or Chinese), or null where it joins none. */
export function askedSum(question: string): number | null {
  const found = /\d{1,15}(?:\s{0,4}(?:\+|plus|and|added to|加上|加|与|和)\s{0,4}\d{1,15}){1,20}/i.exec(
    question.normalize('NFKC'),
  );
  return found === null ? null : found[0].match(/\d{1,15}/g)!.reduce((sum, n) => sum + Number(n), 0);
}
