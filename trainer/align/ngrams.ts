import { mix, permutation } from '../loader/permutation.ts';
import type { Answer } from './answers.ts';
import { sigmoid } from './preference-losses.ts';

/** Places that tokens and pairs of tokens are hashed into. */
const PLACES = 2 ** 18;
const EPOCHS = 10;
const RATE = 0.1;
const DECAY = 1e-3;

/** A sparse vector. */
interface Features {
  at: Int32Array;
  values: Float64Array;
}

/** ln(1 + count) of the tokens and pairs of tokens of the chosen answer, less those of the rejected one; of length 1. */
function differenceOf(chosen: Answer, rejected: Answer): Features {
  const sums = new Map<number, number>();
  for (const [answer, sign] of [
    [chosen, 1],
    [rejected, -1],
  ] as const) {
    const counts = new Map<number, number>();
    const count = (place: number) => counts.set(place, (counts.get(place) ?? 0) + 1);
    const { ids, prompt } = answer;
    for (let i = prompt; i < ids.length; i++) {
      count((mix(ids[i]! + 1) >>> 0) % PLACES);
      if (i + 1 < ids.length) count((mix(Math.imul(ids[i]! + 1, 0x9e3779b1) ^ mix(ids[i + 1]! + 1)) >>> 0) % PLACES);
    }
    for (const [place, n] of counts) sums.set(place, (sums.get(place) ?? 0) + sign * Math.log1p(n));
  }
  const kept = [...sums].filter(([, value]) => value !== 0);
  const norm = Math.sqrt(kept.reduce((sum, [, v]) => sum + v * v, 0)) || 1;
  return { at: Int32Array.from(kept, ([place]) => place), values: Float64Array.from(kept, ([, v]) => v / norm) };
}

/**
 * What a logistic regression on the tokens and pairs of tokens of both answers says of held-out pairs: its margins, in their
 * order. It is what a reward model is held against: it knows words and no sentences. Ten epochs of Adagrad (Duchi et al. 2011)
 * in a seeded order.
 */
export function ngramMargins(
  pairs: readonly { chosen: Answer; rejected: Answer }[],
  { train, held }: { train: readonly number[]; held: readonly number[] },
  seed: number,
): number[] {
  const features = new Map<number, Features>();
  for (const i of [...train, ...held]) features.set(i, differenceOf(pairs[i]!.chosen, pairs[i]!.rejected));
  const weights = new Float64Array(PLACES);
  const squares = new Float64Array(PLACES).fill(1e-8);
  const marginOf = ({ at, values }: Features) => {
    let sum = 0;
    for (let k = 0; k < at.length; k++) sum += weights[at[k]!]! * values[k]!;
    return sum;
  };
  for (let epoch = 0; epoch < EPOCHS && train.length > 0; epoch++) {
    const order = permutation(train.length, seed, epoch);
    for (let i = 0; i < train.length; i++) {
      const found = features.get(train[order(i)]!)!;
      const slope = -sigmoid(-marginOf(found));
      for (let k = 0; k < found.at.length; k++) {
        const place = found.at[k]!;
        const gradient = slope * found.values[k]! + DECAY * weights[place]!;
        squares[place]! += gradient ** 2;
        weights[place]! -= (RATE * gradient) / Math.sqrt(squares[place]!);
      }
    }
  }
  return held.map((i) => marginOf(features.get(i)!));
}
