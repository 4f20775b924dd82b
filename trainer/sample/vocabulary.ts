import { GarnerError } from '../../core/errors.ts';
import { loadTokenizer } from '../../tokenizer/encode/index.ts';

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

/** Opens a tokenizer.json for the trainer. Throws a GarnerError for a file that is none, or that has no end of text. */
export function openVocabulary(path: string): Vocabulary {
  const tokenizer = loadTokenizer(path);
  if (tokenizer.endOfText < 0)
    throw new GarnerError({ what: 'this tokenizer has no token that ends a document', where: path, fault: 2 });
  const specials = Object.values(tokenizer.specialTokens);
  const special = new Set(specials);
  return {
    size: tokenizer.vocabularySize,
    endOfText: tokenizer.endOfText,
    specials,
    encode: (text) => [...tokenizer.encode(text)],
    special: (content) => tokenizer.specialTokens[content] ?? null,
    bytes(id) {
      if (special.has(id)) return new Uint8Array();
      try {
        return tokenizer.bytesOf(id);
      } catch {
        // An id that stands for nothing: a model can still draw it.
        return new Uint8Array();
      }
    },
  };
}
