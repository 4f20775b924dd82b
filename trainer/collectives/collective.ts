/**
 * How the ranks of a training speak to each other. All ranks call the same functions in the same order; each call waits for
 * all of them. Shared memory is the first home; MPI and NCCL will be others.
 */
export interface Collective {
  /** This process, 0 … ranks − 1. */
  rank: number;
  ranks: number;
  /** This rank's gradient zone, where the ranks share memory; undefined for one rank. */
  gradients?: Float32Array;
  /** Replaces the gradient zone of every rank by the sum over ranks, added in the order of ranks. */
  sumGradients(): void;
  /** Element-wise sums over ranks, added in the order of ranks; at most 16 numbers. */
  sum(values: readonly number[]): number[];
  /** Waits for all ranks. */
  barrier(): void;
}

/** One rank: nothing to add. */
export const alone = (): Collective => ({
  rank: 0,
  ranks: 1,
  sumGradients() {},
  sum: (values) => [...values],
  barrier() {},
});
