import type { Numbers } from '../ops/define.ts';

export interface Rows {
  tokens: Int32Array;
  targets: Int32Array;
  /** By which the loss of each target is multiplied; 1 where there is none. */
  scales?: Float32Array | null | undefined;
  documents?: Int32Array | null | undefined;
}

/** Copies a micro-batch into the arena. Throws where an id is outside the vocabulary: a kernel would write anywhere. */
export function takeRows(
  into: Record<'tokens' | 'targets' | 'positions' | 'starts', Int32Array> & { scales: Float32Array },
  { tokens, targets, scales, documents }: Rows,
  vocabulary: number,
  sequence: number,
): void {
  const size = into.tokens.length;
  if (tokens.length !== size || targets.length !== size || (documents && documents.length !== size))
    throw new RangeError(`a micro-batch has ${size} tokens; given: ${tokens.length}, targets ${targets.length}`);
  for (let i = 0; i < size; i++) {
    const token = tokens[i]!;
    const target = targets[i]!;
    if (token < 0 || token >= vocabulary || target < -1 || target >= vocabulary)
      throw new RangeError(`token ${token}, target ${target} at ${i}: the vocabulary has ${vocabulary}`);
  }
  into.tokens.set(tokens);
  into.targets.set(targets);
  if (scales) into.scales.set(scales);
  else into.scales.fill(1);
  for (let i = 0, start = 0; i < size; i++) {
    const place = i % sequence;
    if (place === 0 || (documents && documents[i] !== documents[i - 1])) start = place;
    into.starts[i] = start;
    into.positions[i] = place - start;
  }
}

/** Σ of the losses of targets that take any, in order, and their count. */
export function sumLosses(loss: Numbers, targets: Int32Array): { lossSum: number; tokens: number } {
  let lossSum = 0;
  let tokens = 0;
  for (let i = 0; i < loss.length; i++) {
    if (targets[i]! < 0) continue;
    lossSum += loss[i]!;
    tokens++;
  }
  return { lossSum, tokens };
}
