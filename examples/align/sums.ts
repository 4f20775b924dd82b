import { randomFrom, type Random } from '../sample-site/random.ts';

/** Two numbers to add, each below 100. */
export type Pair = readonly [a: number, b: number];

export type Language = 'en' | 'zh';

const BELOW = 100;

/** Of all pairs, those that no training sees [share]. */
const HELD_OUT = 0.2;

/** All sums of two numbers below 100. A pair and its mirror image are on one side, so that no answer is known from the other. */
export function dealtPairs(seed: number): Record<'train' | 'test', Pair[]> {
  const random = randomFrom(seed, 'sums');
  const dealt = { train: [] as Pair[], test: [] as Pair[] };
  for (let a = 0; a < BELOW; a++)
    for (let b = a; b < BELOW; b++) {
      const side = dealt[random.next() < HELD_OUT ? 'test' : 'train'];
      side.push([a, b]);
      if (a !== b) side.push([b, a]);
    }
  return { train: random.shuffle(dealt.train), test: random.shuffle(dealt.test) };
}

/** The question as a person asks it. */
export const question = ([a, b]: Pair, language: Language): string =>
  language === 'en' ? `What is ${a} + ${b}?` : `${a} 加 ${b} 等于多少？`;

/** A full sentence with a result, right or wrong. */
export const sentence = ([a, b]: Pair, language: Language, result = a + b): string =>
  language === 'en' ? `${a} + ${b} = ${result}.` : `${a} 加 ${b} 等于 ${result}。`;

/** A wrong result that looks right: one more or less, ten more or less, or a carry that was forgotten. */
export function nearMiss([a, b]: Pair, random: Random): number {
  const right = a + b;
  const wrong = [right + 1, right - 1, right + 10, right - 10];
  const forgotten = 10 * (Math.floor(a / 10) + Math.floor(b / 10)) + (((a % 10) + (b % 10)) % 10);
  if (forgotten !== right) wrong.push(forgotten, forgotten);
  return random.pick(wrong.filter((n) => n >= 0));
}
