/**
 * How ranks speak to each other. Every member of a group calls the same functions in the same order with the same sizes;
 * each call waits for those it needs. Homes: shared memory (one host) and MPI (several); NCCL will be the third.
 *
 * Sums have a fixed order, the pairwise tree over ranks of `treeOrder`: so the result is the same on every member and from
 * run to run, and a sum over 8 ranks has the bits of the sum over 2 groups of 4.
 */
export interface Group {
  /** This process in the group, 0 … ranks − 1. */
  rank: number;
  ranks: number;
  /** Ranks of the world, in the order of the group. */
  members: readonly number[];
  /** Waits for all. */
  barrier(): void;
  /** Replaces x on every member by the sum (or the greatest) over members, element by element. */
  allReduce(x: Floats, how?: 'sum' | 'max'): void;
  /** Begins the same sum and returns what waits for its end; meanwhile x may be neither read nor written. Ends come in the order of begins. */
  startAllReduce(x: Float32Array): () => void;
  /** Member r gets the sums of x[edges[r] … edges[r + 1]) in place; the rest of x is undefined afterwards. edges has ranks + 1 ascending numbers. */
  reduceScatter(x: Float32Array, edges: readonly number[]): void;
  startReduceScatter(x: Float32Array, edges: readonly number[]): () => void;
  /** Every member gets all of x; member r brings x[edges[r] … edges[r + 1]). */
  allGather(x: Floats, edges: readonly number[]): void;
  /** Everybody's x becomes that of member `root`. */
  broadcast(x: Floats, root: number): void;
  /** To and from one other member. `send` returns when x may be changed; it waits only while `mailbox.depth` messages to that member are unread. */
  send(x: Float32Array, to: number): void;
  receive(x: Float32Array, from: number): void;
  /** float64 sums of a few numbers (at most 65,536). */
  sum(values: readonly number[]): number[];
  /** Cuts the group into disjoint ones, named by members of this group; every member gives the same list. Returns the one with this rank. */
  split(groups: readonly (readonly number[])[]): Group;
}

export type Floats = Float32Array | Float64Array;

/** All ranks of a training, and what only all of them share. */
export interface World extends Group {
  home: 'alone' | 'shared' | 'mpi';
  /** Zeroed memory, aligned to 64 bytes, that collectives reach without a copy. Once a process. Throws a GarnerError when the machine has not so much. */
  reserve(bytes: number): { buffer: ArrayBufferLike; byteOffset: number };
  /** Seconds that this rank has waited for others so far; what is left of a step is its own work. */
  waited(): number;
  /** Tells the flight recorder, where there is one, that this rank has ended a step and how long it took [s]. */
  note(step: number, seconds: number): void;
  /** Tells the others that this rank cannot go on: their waits throw RankLost. Over MPI they end when this process ends without `close`. */
  abort(): void;
  /** Leaves; nothing stays behind. */
  close(): void;
}

/** What every home is opened with. */
export interface WorldOptions {
  /**
   * Compares a header of call, type and count before each call: a rank out of step is an error that says so. Over shared
   * memory that is always done, since it costs nothing.
   */
  check: boolean;
  /** A rank waits so long for the others [s]; then an error names who did not come. */
  patience: number;
  /** Messages between two ranks: most floats of one, and how many may be unread. */
  mailbox: { floats: number; depth: number };
  /** File of the flight recorder, where there shall be one. */
  recorder?: string;
}

/** Another rank has died, given up or stayed away; who started the ranks knows more. */
export class RankLost extends Error {
  /** In the world. */
  readonly rank: number;
  constructor(rank: number, why: string) {
    super(`rank ${rank} ${why}`);
    this.rank = rank;
  }
}

/** Adds n items by the pairwise tree over their places: the left half is the greatest power of two below n. */
export function treeOrder<T>(n: number, item: (i: number) => T, add: (a: T, b: T) => T, from = 0): T {
  if (n === 1) return item(from);
  const left = 2 ** Math.ceil(Math.log2(n) - 1);
  return add(treeOrder(left, item, add, from), treeOrder(n - left, item, add, from + left));
}
