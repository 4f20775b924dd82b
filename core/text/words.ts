import { LETTER, MARK } from './characters.ts';
import { freshSlots } from './scratch.ts';
import { classAt, codePointAt, type Spans } from './units.ts';

/** The words of a text, each with the number of its kind: equal words are of one kind, numbered by first appearance. */
export interface Words {
  count: number;
  /** Start and end of word i: `bounds[2i]`, `bounds[2i + 1]` [code units]. */
  bounds: Int32Array;
  /** Kind of word i. */
  kinds: Int32Array;
  /** How many kinds there are. */
  different: number;
  /** For each kind: a word of it. */
  example: Int32Array;
  /** For each kind: its length [code points]. */
  lengths: Int32Array;
  /** For each kind: HAS_LETTER | HAS_MORE_THAN_MARKS. */
  flags: Uint8Array;
  /** The word of a kind as a string. */
  word(kind: number): string;
}

/** A letter stands in it. */
export const HAS_LETTER = 1;
/** A character stands in it that is no punctuation in datatrove's sense: it is spoken. */
export const SPOKEN = 2;

/** Numbers the words of a text by kind. */
export function countKinds(text: string, units: Uint16Array, spans: Spans): Words {
  const { count, bounds } = spans;
  const { kinds, different, example } = numberSpans(units, spans);
  const lengths = new Int32Array(different);
  const flags = new Uint8Array(different);
  for (let kind = 0; kind < different; kind++) {
    const end = bounds[2 * example[kind]! + 1]!;
    let length = 0;
    let flag = 0;
    for (let k = bounds[2 * example[kind]!]!; k < end; length++) {
      const c = classAt(units, k, end);
      if (c & LETTER) flag |= HAS_LETTER;
      if (!(c & MARK)) flag |= SPOKEN;
      k += codePointAt(units, k, end) > 0xffff ? 2 : 1;
    }
    lengths[kind] = length;
    flags[kind] = flag;
  }
  return {
    count,
    bounds,
    kinds,
    different,
    example,
    lengths,
    flags,
    word: (kind) => text.slice(bounds[2 * example[kind]!], bounds[2 * example[kind]! + 1]),
  };
}

export interface Numbered {
  /** Kind of each span, numbered by first appearance. */
  kinds: Int32Array;
  different: number;
  /** For each kind: the first span of it. */
  example: Int32Array;
}

/** By kind: the hash of the stretch. Used within one call. */
let hashes = new Int32Array(1 << 12);

/** Gives equal stretches equal numbers: an open-addressing table over their code units. */
export function numberSpans(units: Uint16Array, { count, bounds }: Spans): Numbered {
  const kinds = new Int32Array(count);
  const { slots, base, mask } = freshSlots(count);
  const example = new Int32Array(count);
  if (hashes.length < count) hashes = new Int32Array(count * 2);
  let different = 0;
  for (let i = 0; i < count; i++) {
    const start = bounds[2 * i]!;
    const end = bounds[2 * i + 1]!;
    let hash = 0;
    for (let k = start; k < end; k++) hash = (Math.imul(hash, 31) + units[k]!) | 0;
    let slot = (Math.imul(hash, 0x9e3779b1) >>> 7) & mask;
    for (;;) {
      const kind = slots[slot]! - base - 1;
      if (kind < 0) {
        slots[slot] = base + ++different;
        example[different - 1] = i;
        hashes[different - 1] = hash;
        kinds[i] = different - 1;
        break;
      }
      if (hashes[kind] === hash && sameUnits(units, bounds, example[kind]!, start, end)) {
        kinds[i] = kind;
        break;
      }
      slot = (slot + 1) & mask;
    }
  }
  return { kinds, different, example };
}

function sameUnits(units: Uint16Array, bounds: Int32Array, word: number, start: number, end: number): boolean {
  const other = bounds[2 * word]!;
  if (bounds[2 * word + 1]! - other !== end - start) return false;
  for (let k = 0; k < end - start; k++) if (units[other + k] !== units[start + k]) return false;
  return true;
}
