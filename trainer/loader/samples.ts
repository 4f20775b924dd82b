/** Rows of a micro-batch, [rows × sequence] each; reused from one micro-batch to the next. */
export interface Batch {
  rows: number;
  sequence: number;
  tokens: Int32Array;
  /** The token that follows; −1 takes no loss. */
  targets: Int32Array;
  /** By which the loss of each target is multiplied; 1 unless whoever fills the rows says otherwise. */
  scales: Float32Array;
  /** Number of the document in its row, from 0; null where attention crosses documents. */
  documents: Int32Array | null;
}

/**
 * The samples of a training: sample k is a pure function of the data, the seed and k, whoever asks for it and in which order.
 * So the whole state of a loader is one integer, and any number of ranks sees the same stream.
 */
export interface Samples {
  /** Samples an epoch shows. */
  count: number;
  /** Writes sample `k` (0 … ∞, epoch after epoch) into row `row` of the batch. */
  fill(k: number, batch: Batch, row: number): void;
}

/** Room for `rows` rows of `sequence` tokens. */
export const openBatch = (rows: number, sequence: number, documents: boolean): Batch => ({
  rows,
  sequence,
  tokens: new Int32Array(rows * sequence),
  targets: new Int32Array(rows * sequence),
  scales: new Float32Array(rows * sequence).fill(1),
  documents: documents ? new Int32Array(rows * sequence) : null,
});
