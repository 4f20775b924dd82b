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
  const best = largest(logits);
  if (choice.temperature === 0) return best;
  const { topK, topP, temperature } = choice;
  const floor = topK > 0 && topK < logits.length ? floorOf(logits, topK) : -Infinity;
  const weights = new Float64Array(logits.length);
  let total = 0;
  for (let id = 0; id < logits.length; id++)
    if (logits[id]! >= floor) total += weights[id] = Math.exp((logits[id]! - logits[best]!) / temperature);
  const ids = likely(weights, topP * total).sort((a, b) => logits[b]! - logits[a]! || a - b);
  const kept = nucleus(ids, weights, topP * total);
  let left = u * kept.sum;
  for (let i = 0; i < kept.count; i++) {
    left -= weights[ids[i]!]!;
    if (left < 0) return ids[i]!;
  }
  return ids[kept.count - 1]!;
}

/** The ids of the largest logits, the largest first, of equal ones the lower id first. */
export function likeliest(logits: Float32Array, count: number): number[] {
  if (count < 1) return [];
  return idsFrom(logits, count < logits.length ? floorOf(logits, count) : -Infinity)
    .sort((a, b) => logits[b]! - logits[a]! || a - b)
    .slice(0, count);
}

function largest(logits: Float32Array): number {
  let best = 0;
  for (let i = 1; i < logits.length; i++) if (logits[i]! > logits[best]!) best = i;
  return best;
}

function idsFrom(logits: Float32Array, floor: number): number[] {
  const ids: number[] = [];
  for (let i = 0; i < logits.length; i++) if (logits[i]! >= floor) ids.push(i);
  return ids;
}

/** The k-th largest logit. Sorting 8,192 of them takes a hundred times as long as looking through them. */
function floorOf(logits: Float32Array, k: number): number {
  const top = logits.slice(0, k).sort();
  for (let i = k; i < logits.length; i++) {
    const z = logits[i]!;
    if (!(z > top[0]!)) continue;
    let at = 0;
    for (; at + 1 < k && top[at + 1]! < z; at++) top[at] = top[at + 1]!;
    top[at] = z;
  }
  return top[0]!;
}

/** Ids that weigh `enough` together and no less each than those left out: few to sort, where a few make up most of it. */
function likely(weights: Float64Array, enough: number): number[] {
  let ids: number[] = [];
  for (const least of [0.1, 0.01, 1e-4, 1e-8, Number.MIN_VALUE]) {
    ids = [];
    let sum = 0;
    for (let id = 0; id < weights.length; id++) {
      if (weights[id]! < least) continue;
      ids.push(id);
      sum += weights[id]!;
    }
    // a sum in another order may differ in its last digits
    if (sum > enough * (1 + 1e-9)) break;
  }
  return ids;
}

/** How many of the sorted ids reach `enough` (the one that crosses it stays), and what they weigh together. */
function nucleus(ids: readonly number[], weights: Float64Array, enough: number): { count: number; sum: number } {
  let sum = 0;
  for (let i = 0; i < ids.length; i++) {
    sum += weights[ids[i]!]!;
    if (sum >= enough) return { count: i + 1, sum };
  }
  return { count: ids.length, sum };
}

/** A number in [0, 1) that depends on its arguments alone: what is drawn is the same in a batch, alone, or later. */
export function uniform(seed: number, sequence: number, position: number): number {
  let key = mix(0x2545f491);
  for (const word of [seed | 0, Math.floor(seed / 2 ** 32), sequence, position])
    key = mix(Math.imul(key, 0x9e3779b1) ^ word);
  const low = mix(key ^ 0x5bd1e995) >>> 5;
  return (low * 2 ** 26 + (mix(key ^ 0x1b873593) >>> 6)) / 2 ** 53;
}
