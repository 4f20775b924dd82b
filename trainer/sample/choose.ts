import { mix } from '../loader/permutation.ts';

export interface Choice {
  /** 0 takes the likeliest token. */
  temperature: number;
  /** Only the likeliest k tokens; 0 for all. Ties at the border stay. */
  topK: number;
  /** Only the smallest set of likeliest tokens whose probability reaches p; 1 for all. */
  topP: number;
}

/**
 * Draws a token from logits [vocabulary]: temperature, then top-k, then top-p, then the inverse of the cumulative
 * distribution at `u` in [0, 1) (Holtzman et al. 2019, arXiv:1904.09751). At temperature 0 the largest logit, of equal ones the lowest id.
 */
export function choose(logits: Float32Array, choice: Choice, u: number): number {
  if (choice.temperature === 0) return largest(logits);
  const floor =
    choice.topK > 0 && choice.topK < logits.length ? logits.toSorted()[logits.length - choice.topK]! : -Infinity;
  const ids: number[] = [];
  for (let i = 0; i < logits.length; i++) if (logits[i]! >= floor) ids.push(i);
  ids.sort((a, b) => logits[b]! - logits[a]! || a - b);
  const top = logits[ids[0]!]!;
  const weights = ids.map((id) => Math.exp((logits[id]! - top) / choice.temperature));
  const kept = nucleus(weights, choice.topP);
  let left = u * kept.sum;
  for (let i = 0; i < kept.count; i++) {
    left -= weights[i]!;
    if (left < 0) return ids[i]!;
  }
  return ids[kept.count - 1]!;
}

function largest(logits: Float32Array): number {
  let best = 0;
  for (let i = 1; i < logits.length; i++) if (logits[i]! > logits[best]!) best = i;
  return best;
}

/** How many of the sorted weights reach the share p of their sum (the one that crosses it stays), and what they add up to. */
function nucleus(weights: readonly number[], p: number): { count: number; sum: number } {
  const total = weights.reduce((a, b) => a + b, 0);
  let sum = 0;
  for (let i = 0; i < weights.length; i++) {
    sum += weights[i]!;
    if (sum >= p * total) return { count: i + 1, sum };
  }
  return { count: weights.length, sum };
}

/** A number in [0, 1) that depends on its arguments alone: what is drawn is the same in a batch, alone, or later. */
export function uniform(seed: number, sequence: number, position: number): number {
  let key = mix(0x2545f491);
  for (const word of [seed | 0, Math.floor(seed / 2 ** 32), sequence, position])
    key = mix(Math.imul(key, 0x9e3779b1) ^ word);
  const low = mix(key ^ 0x5bd1e995) >>> 5;
  return (low * 2 ** 26 + (mix(key ^ 0x1b873593) >>> 6)) / 2 ** 53;
}
