/** What the trainer needs to know of a tokenizer. */
export interface Vocabulary {
  /** Rows of the embedding. */
  size: number;
  /** The token after each document. */
  endOfText: number;
  /** Text → ids; special tokens are never made from text. */
  encode(text: string): number[];
  /** UTF-8 bytes of a token; empty for a special one. */
  bytes(id: number): Uint8Array;
  /** The id of a special token by its content, or null. */
  special(content: string): number | null;
  /** All special ids. */
  specials: readonly number[];
}

/** UTF-8 bytes of every token, 0 for special ones: what bits per byte are counted with. */
export const byteCounts = (vocabulary: Vocabulary): Uint16Array =>
  Uint16Array.from({ length: vocabulary.size }, (_, id) => vocabulary.bytes(id).length);
