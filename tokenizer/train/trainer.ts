/** Merges in the order in which they were learned. */
export interface Merges {
  /** [2 × merges] left and right id of each. */
  pairs: Uint32Array;
  /** [merges] how often the pair occurred when it was taken. */
  counts: Float64Array;
}

export interface Figures {
  /** Text that was counted [bytes]. */
  bytes: number;
  preTokens: number;
  distinct: number;
  distinctBytes: number;
  /** Tokens that the text has after the merges so far. */
  tokens: number;
  /** Times that a rare pre-token was forgotten, so that the distinct ones fit into the limit. */
  forgotten: number;
}

/** Learns merges: `add` texts, `begin` once, then `merge` as often as wanted; `close` frees its memory. */
export interface PairTrainer {
  engine: 'c' | 'typescript';
  /** Counts the pre-tokens of one text. */
  add(utf8: Uint8Array): void;
  begin(): void;
  /** The next merges, at most `most`; fewer where no pair is left. */
  merge(most: number): Merges;
  figures(): Figures;
  close(): void;
}
