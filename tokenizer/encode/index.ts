import { readFileSync, statSync } from 'node:fs';
import { explainSystemError, GarnerError } from '../../core/errors.ts';
import { nativeEncoder } from './native.ts';
import type { SplitName } from './patterns.ts';
import { readRanks } from './ranks.ts';
import { readTokenizerJson } from './tokenizer-json.ts';
import { twinEncoder } from './twin.ts';
import { vocabularySize, type Vocabulary } from './vocabulary.ts';

export { SPLITS, type SplitName } from './patterns.ts';
export { writeTokenizerJson } from './tokenizer-json.ts';
export type { Vocabulary } from './vocabulary.ts';

/** Text to ids and back. */
export interface Tokenizer {
  split: SplitName;
  /** One more than the greatest id, special tokens included: the rows of an embedding. */
  vocabularySize: number;
  /** Ids of tokens that are never made from text, by name. */
  specialTokens: Readonly<Record<string, number>>;
  /** The special token that ends a document; -1 where the vocabulary has none. */
  endOfText: number;
  /** `c` where the kernel runs, `typescript` on a machine without a C compiler. */
  engine: 'c' | 'typescript';
  /** Ids of a text. Names of special tokens in it are plain text; a lone surrogate counts as U+FFFD. */
  encode(text: string): Uint32Array;
  /** Ids of text that is UTF-8 already; bytes that are none are encoded one by one. */
  encodeBytes(utf8: Uint8Array): Uint32Array;
  /** The text of ids; special tokens by their names, bytes that are no UTF-8 as U+FFFD. Throws a RangeError for an id there is not. */
  decode(ids: ArrayLike<number>): string;
  /** The bytes of one token; the name of a special one; none for an id that stands for nothing. */
  bytesOf(id: number): Uint8Array;
}

export interface LoadOptions {
  /** For a ranks file, which does not say how to split. */
  split?: SplitName | undefined;
  /** `typescript` where the kernel is not wanted (tests). */
  engine?: 'typescript' | undefined;
}

/** The largest vocabularies in use take some 30 MB. */
const LARGEST = 256 << 20;
const NOTHING = new Uint8Array(0);
const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** Opens a tokenizer.json, a tiktoken ranks file (with `split`), or a vocabulary in hand. Throws a GarnerError for any other file. */
export function loadTokenizer(source: string | Vocabulary, options: LoadOptions = {}): Tokenizer {
  const vocabulary = typeof source === 'string' ? readVocabulary(source, options.split) : source;
  const native = options.engine === 'typescript' ? null : nativeEncoder(vocabulary);
  const encodeBytes = native ?? twinEncoder(vocabulary);
  const size = vocabularySize(vocabulary);
  const names = new Map(Object.entries(vocabulary.specialTokens).map(([name, id]) => [id, encoder.encode(name)]));
  const bytesOf = (id: number): Uint8Array => {
    if (!(Number.isInteger(id) && id >= 0 && id < size))
      throw new RangeError(`${id} is no id of this tokenizer (0 to ${size - 1})`);
    return names.get(id) ?? vocabulary.tokens[id] ?? NOTHING;
  };
  return {
    split: vocabulary.split,
    vocabularySize: size,
    specialTokens: vocabulary.specialTokens,
    endOfText: vocabulary.endOfText,
    engine: native ? 'c' : 'typescript',
    encode: (text) => encodeBytes(encoder.encode(text)),
    encodeBytes,
    decode: (ids) => decoder.decode(Buffer.concat(Array.from(ids, bytesOf))),
    bytesOf,
  };
}

/** Reads a tokenizer.json or a tiktoken ranks file. Throws a GarnerError. */
export function readVocabulary(path: string, split?: SplitName): Vocabulary {
  let text: string;
  try {
    if (statSync(path).size > LARGEST)
      throw new GarnerError({
        what: 'the file is too large for a tokenizer',
        where: path,
        hint: 'name a tokenizer.json',
        fault: 2,
      });
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw explainSystemError(error, path);
  }
  if (text.trimStart().startsWith('{')) {
    const compact = ranksOfNpm(text);
    if (compact === null) return readTokenizerJson(text, path);
    text = compact;
  }
  if (!split)
    throw new GarnerError({
      what: 'a ranks file does not say how text is split',
      where: path,
      hint: 'add --split gpt2, cl100k or o200k',
      fault: 2,
    });
  return readRanks(text, split, path);
}

/** The ranks inside an encoder file of npm `tiktoken`, or null. */
function ranksOfNpm(text: string): string | null {
  if (!text.includes('"bpe_ranks"')) return null;
  try {
    const { bpe_ranks: ranks } = JSON.parse(text) as { bpe_ranks?: unknown };
    return typeof ranks === 'string' ? ranks : null;
  } catch {
    return null;
  }
}
