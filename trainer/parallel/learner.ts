import type { Batch } from '../loader/samples.ts';
import type { ModelConfig } from '../model/config.ts';
import type { UpdateOptions } from '../optimizer/adamw.ts';

/** Writes micro-batch `slot` of a step. The same slot has the same rows on every rank. */
export type Fill = (slot: number, into: Batch) => void;

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
  /** The weights of the whole model by their Hugging Face names. */
  tensors: readonly { name: string; shape: readonly number[] }[];
  /** Gradients of the sum of losses over `slots` micro-batches. */
  accumulate(slots: number, fill: Fill): LossSum;
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
