import type { Batch } from '../loader/samples.ts';
import type { ModelConfig } from '../model/config.ts';
import type { Numbers } from '../ops/define.ts';
import type { UpdateOptions } from '../optimizer/adamw.ts';

/** Writes micro-batch `slot` of a step. The same slot has the same rows on every rank. */
export type Fill = (slot: number, into: Batch) => void;

/**
 * Scales for the places of micro-batch `slot` from what the model says there, both [rows × sequence]: −ln p of the target, or
 * the score. `scales` comes filled with 1; where it ends as dL/d(value), the gradient learned is that of L.
 */
export type Weigh = (slot: number, values: Numbers, scales: Float32Array) => void;

/** Sums over all rows of all ranks: losses [nats], and trained tokens. */
export interface LossSum {
  lossSum: number;
  tokens: number;
}

export type Kind = 'weight' | 'first' | 'second';

/**
 * A model in training on one rank of a mesh. All ranks call the same functions in the same order; with one rank, nothing
 * waits. Losses and norms are those of the whole batch and the whole model, the same on every rank.
 */
export interface Learner {
  config: ModelConfig;
  /** Of the whole model. */
  parameters: number;
  /** The weights of the whole model by their Hugging Face names. Frozen ones have no gradient and no moments. */
  tensors: readonly { name: string; shape: readonly number[]; trained: boolean }[];
  /**
   * Gradients of the sum of losses over `slots` micro-batches. With `weigh` each of them first goes through the model forward
   * alone; not in a pipeline. Every tensor rank weighs, from the same values.
   */
  accumulate(slots: number, fill: Fill, weigh?: Weigh): LossSum;
  /** What the model says in each slot, before scales; every rank hears of its own slots (`each`), a tensor rank of those of its data rank. Not in a pipeline. */
  values(slots: number, fill: Fill, each: (slot: number, values: Numbers) => void): void;
  /** Adds, number by number, what data ranks have found in their own slots; the same on every rank. */
  sum(numbers: ArrayLike<number>): Float64Array;
  /** Losses alone, of each slot. */
  evaluate(slots: number, fill: Fill): LossSum;
  /** Gradient × gradientScale, global norm, clip, AdamW. Returns the norm before clipping; not finite: nothing is changed. */
  update(options: UpdateOptions): { gradientNorm: number };
  /** A whole tensor (a weight or one of its moments) on rank 0; null on the others, which all must call it too. */
  collect(name: string, kind: Kind): Float32Array | null;
  /** Takes this rank's part out of a whole tensor; no other rank is asked. */
  place(name: string, kind: Kind, whole: Float32Array): void;
  /** Bytes of this rank. */
  memory(): Record<'weights' | 'gradients' | 'optimizer' | 'activations', number>;
  close(): void;
}
