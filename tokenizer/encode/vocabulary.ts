import type { SplitName } from './patterns.ts';

/** What a tokenizer is made of, whatever file it came from. */
export interface Vocabulary {
  split: SplitName;
  /** Bytes of each token by id; empty for special tokens and for ids that stand for nothing. */
  tokens: readonly Uint8Array[];
  /**
   * Merges in order of priority, three numbers each: left, right, merged id. Null for a ranks file: there every two tokens
   * whose bytes in a row are a token may merge, and the lowest id comes first.
   */
  merges: Uint32Array | null;
  /** A pre-token that is a token is taken as it stands, whether or not the merges lead to it. */
  whole: boolean;
  /** Tokens that are never made from text, by name. */
  specialTokens: Readonly<Record<string, number>>;
  /** The special token that ends a document. */
  endOfText: number;
}

/** One more than the greatest id: the rows that an embedding needs. */
export const vocabularySize = (v: Vocabulary): number =>
  Object.values(v.specialTokens).reduce((most, id) => Math.max(most, id + 1), v.tokens.length);

/** The tokens' bytes in a row and where each begins [tokens + 1]: how the kernel wants them. */
export function packTokens(tokens: readonly Uint8Array[]): { bytes: Uint8Array; offsets: Uint32Array } {
  const offsets = new Uint32Array(tokens.length + 1);
  for (let id = 0; id < tokens.length; id++) offsets[id + 1] = offsets[id]! + tokens[id]!.length;
  const bytes = new Uint8Array(offsets[tokens.length]!);
  for (let id = 0; id < tokens.length; id++) bytes.set(tokens[id]!, offsets[id]!);
  return { bytes, offsets };
}

/** Ids of the 256 single bytes; NO_TOKEN where the vocabulary lacks one. */
export function byteIds(tokens: readonly Uint8Array[]): Uint32Array {
  const ids = new Uint32Array(256).fill(NO_TOKEN);
  for (let id = tokens.length - 1; id >= 0; id--) if (tokens[id]!.length === 1) ids[tokens[id]![0]!] = id;
  return ids;
}

/** The id of what the vocabulary lacks. */
export const NO_TOKEN = 0x1fffff;

/** The kernel packs ids in 21 bits and places of merges in 22; a file with more is no vocabulary but an attack on memory. */
export const MOST_TOKENS = 2_000_000;
export const MOST_MERGES = 4_000_000;

/** Ids of a UTF-8 text; the result is the caller's own. */
export type Encode = (utf8: Uint8Array) => Uint32Array;
