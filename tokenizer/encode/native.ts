import { loadNative, type Argument, type Library, type Value } from '../../core/native/load.ts';
import { classTable } from './classes.ts';
import { splitNumber } from './patterns.ts';
import { byteIds, packTokens, type Encode, type Vocabulary } from './vocabulary.ts';

/** Slots of the cache of merged pre-tokens: 64 bytes each, so 512 kB, which stays in a core's second-level cache. */
const CACHE_BITS = 13;

const SPLIT_TABLES: readonly Argument[] = [
  { name: 'blocks', type: 'u16*', length: () => 0x1100 },
  { name: 'classes', type: 'u8*', length: () => 256 },
];
const PAIRS: readonly Argument[] = [
  { name: 'pairs', type: 'u32*', length: (s) => 2 * 2 ** s['pair_bits']! },
  { name: 'pair_bits', type: 'i32' },
  { name: 'filter', type: 'u32*', length: (s) => 2 ** s['pair_bits']! / 8 },
];
const MADE: Argument = { name: 'made', type: 'u32*', optional: true };
const WORDS: readonly Argument[] = [
  { name: 'words', type: 'u32*', length: (s) => 2 * 2 ** s['word_bits']! },
  { name: 'word_bits', type: 'i32' },
];
const TOKENS: readonly Argument[] = [
  { name: 'bytes', type: 'u8*' },
  { name: 'offsets', type: 'u32*', length: (s) => (s['vocabulary'] ?? 0) + 1 },
];
const BYTES: readonly Argument[] = [
  { name: 'byte_ids', type: 'u32*', length: () => 256 },
  { name: 'first', type: 'u32*', length: () => 65536 },
];

const load = (): Library | null =>
  loadNative({
    name: 'encode',
    sources: ['tokenizer/encode/encode.c'],
    headers: ['tokenizer/encode/split.h'],
    flags: ['-O3'],
    functions: {
      encode: {
        returns: 'i64',
        arguments: [
          { name: 'out', type: 'u32*', length: (s) => s['n']! },
          { name: 's', type: 'u8*', length: (s) => s['n']! },
          { name: 'n', type: 'i64' },
          { name: 'split', type: 'i32' },
          ...SPLIT_TABLES,
          ...BYTES,
          ...PAIRS,
          MADE,
          ...WORDS,
          ...TOKENS,
          { name: 'cache', type: 'u8*', length: (s) => 64 * 2 ** s['cache_bits']! },
          { name: 'cache_bits', type: 'i32' },
        ],
      },
      index_merges: {
        returns: 'void',
        arguments: [
          ...PAIRS,
          { name: 'merges', type: 'u32*', length: (s) => 3 * s['count']! },
          { name: 'count', type: 'i64' },
        ],
      },
      index_bytes: { returns: 'void', arguments: [BYTES[1]!, BYTES[0]!, ...PAIRS] },
      index_ranks: {
        returns: 'i64',
        arguments: [...PAIRS, ...WORDS, ...TOKENS, { name: 'vocabulary', type: 'i64' }],
      },
      index_words: {
        returns: 'i32',
        arguments: [
          ...WORDS,
          ...BYTES,
          ...PAIRS,
          MADE,
          ...TOKENS,
          { name: 'vocabulary', type: 'i64' },
          { name: 'verify', type: 'i32' },
        ],
      },
    },
  });

/** Slots for `count` entries at most half full, as a power of two. */
const bitsFor = (count: number) => Math.max(4, Math.ceil(Math.log2(2 * count + 1)));
const emptyTable = (bits: number) => new Uint32Array(2 * 2 ** bits).fill(0xffffffff);
const OUT_OF_MEMORY = 'the tokenizer ran out of memory';

/** The merges by their pair: slots, the logarithm of their number, and the filter before them. */
type PairTable = [pairs: Uint32Array, bits: number, filter: Uint32Array];
const pairTable = (bits: number): PairTable => [emptyTable(bits), bits, new Uint32Array(Math.ceil(2 ** bits / 8))];

/** The encoder in C, or null where this machine has no C compiler. */
export function nativeEncoder(v: Vocabulary): Encode | null {
  const library = load();
  if (!library) return null;
  const tables = [...tablesOf(v, library), new Uint8Array(64 * 2 ** CACHE_BITS), CACHE_BITS];
  const split = splitNumber(v.split);
  let scratch = new Uint32Array(1 << 16);
  return (utf8) => {
    const n = utf8.length;
    if (scratch.length < n) scratch = new Uint32Array(n);
    const count = Number(library.call['encode']!(scratch, utf8, n, split, ...tables));
    if (count < 0) throw new Error(OUT_OF_MEMORY);
    const out = scratch.slice(0, count);
    if (scratch.length > 1 << 22) scratch = new Uint32Array(1 << 16);
    return out;
  };
}

/** The arguments of `encode` from `blocks` on, but for the cache. */
function tablesOf(v: Vocabulary, library: Library): Value[] {
  const call = (name: string, ...args: Value[]) => Number(library.call[name]!(...args));
  const { blocks, classes } = classTable();
  const { bytes, offsets } = packTokens(v.tokens);
  const size = v.tokens.length;
  const ids = byteIds(v.tokens);
  const first = new Uint32Array(65536);
  const made = v.merges && Uint32Array.from({ length: v.merges.length / 3 }, (_, i) => v.merges![3 * i + 2]!);
  const wordBits = bitsFor(size);
  const words = emptyTable(wordBits);
  const indexWords = (pairs: PairTable, verify: boolean) => {
    const rest = [made, bytes, offsets, size, verify ? 1 : 0];
    if (call('index_words', words, wordBits, ids, first, ...pairs, ...rest) < 0) throw new Error(OUT_OF_MEMORY);
  };
  let pairs: PairTable;
  if (v.merges) {
    pairs = pairTable(bitsFor(v.merges.length / 3));
    call('index_merges', ...pairs, v.merges, v.merges.length / 3);
    call('index_bytes', first, ids, ...pairs);
    indexWords(pairs, !v.whole);
  } else {
    indexWords(pairTable(0), false);
    const ranks = [words, wordBits, bytes, offsets, size];
    pairs = pairTable(bitsFor(call('index_ranks', ...pairTable(0), ...ranks)));
    call('index_ranks', ...pairs, ...ranks);
    call('index_bytes', first, ids, ...pairs);
  }
  return [blocks, classes, ids, first, ...pairs, made, words, wordBits, bytes, offsets];
}
