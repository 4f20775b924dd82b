import { loadNative, type Argument, type Library } from '../../core/native/load.ts';
import { classTable } from '../encode/classes.ts';
import { splitNumber, type SplitName } from '../encode/patterns.ts';
import type { Figures, Merges, PairTrainer } from './trainer.ts';

const OUT_OF_MEMORY = 'training the tokenizer ran out of memory';
const HANDLE: Argument = { name: 'handle', type: 'ptr' };

const load = (): Library | null =>
  loadNative({
    name: 'train',
    sources: ['tokenizer/train/train.c'],
    headers: ['tokenizer/encode/split.h'],
    flags: ['-O3'],
    functions: {
      train_open: { returns: 'ptr', arguments: [] },
      train_close: { returns: 'void', arguments: [HANDLE] },
      train_add: {
        returns: 'i32',
        arguments: [
          HANDLE,
          { name: 's', type: 'u8*', length: (s) => s['n']! },
          { name: 'n', type: 'i64' },
          { name: 'split', type: 'i32' },
          { name: 'blocks', type: 'u16*', length: () => 0x1100 },
          { name: 'classes', type: 'u8*', length: () => 256 },
          { name: 'limit', type: 'i64' },
        ],
      },
      train_begin: { returns: 'i32', arguments: [HANDLE] },
      train_merge: {
        returns: 'i64',
        arguments: [
          HANDLE,
          { name: 'merges', type: 'u32*', length: (s) => 2 * s['most']! },
          { name: 'counts', type: 'f64*', length: (s) => s['most']! },
          { name: 'most', type: 'i64' },
        ],
      },
      train_figures: { returns: 'void', arguments: [HANDLE, { name: 'out', type: 'f64*', length: () => 6 }] },
    },
  });

/** The trainer in C, or null where this machine has no C compiler. `limit`: bytes of distinct pre-tokens held at once. */
export function nativeTrainer(split: SplitName, limit: number): PairTrainer | null {
  const library = load();
  if (!library) return null;
  const { blocks, classes } = classTable();
  const call = (name: string, ...args: (number | Uint8Array | Uint16Array | Uint32Array | Float64Array)[]) => {
    const result = Number(library.call[name]!(handle, ...args));
    if (result < 0) throw new Error(OUT_OF_MEMORY);
    return result;
  };
  let handle = library.call['train_open']!() as bigint | null;
  if (!handle) throw new Error(OUT_OF_MEMORY);
  return {
    engine: 'c',
    add: (utf8) => void call('train_add', utf8, utf8.length, splitNumber(split), blocks, classes, limit),
    begin: () => void call('train_begin'),
    merge(most): Merges {
      const pairs = new Uint32Array(2 * most);
      const counts = new Float64Array(most);
      const made = call('train_merge', pairs, counts, most);
      return { pairs: pairs.subarray(0, 2 * made), counts: counts.subarray(0, made) };
    },
    figures(): Figures {
      const out = new Float64Array(6);
      call('train_figures', out);
      const [bytes = 0, preTokens = 0, distinct = 0, distinctBytes = 0, tokens = 0, forgotten = 0] = out;
      return { bytes, preTokens, distinct, distinctBytes, tokens, forgotten };
    },
    close() {
      if (handle) library.call['train_close']!(handle);
      handle = null;
    },
  };
}
