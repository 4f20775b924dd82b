import type { Kernel, Numbers } from '../ops/define.ts';

/** A kernel call whose tensors have become views of memory. */
export interface BoundCall {
  kernel: Kernel;
  views: readonly Numbers[];
  /** Bit i: slot i is added to. */
  adds: number;
  numbers: readonly number[];
}

/** Who executes a program. */
export interface Engine {
  name: 'cpu' | 'reference';
  /** Zeroed memory whose address is a multiple of 64. */
  allocate(bytes: number): { buffer: ArrayBuffer; byteOffset: number };
  /** Makes a list of calls ready; the function it returns runs them and allocates nothing. */
  bind(calls: readonly BoundCall[]): () => void;
  /** Bytes of working memory that the lists bound so far need. */
  scratchBytes(): number;
  close(): void;
}
