import { loadNative, type Library } from '../native/load.ts';
import { CLASS, letterClasses, normalise, normalisedClasses, plainClasses } from './normalise.ts';

/** What a text is compared by: its first code units, so that one of 50 MB takes bounded memory. [UTF-16 code units] */
export const SHINGLED_UNITS = 1 << 23;

/** Tokens in a shingle. */
const SHINGLE_TOKENS = 5;

/** How a text is seen before it is cut: `plain` lower-cases only; `normalised` also does NFKC and drops punctuation. */
export type Reading = 'plain' | 'normalised';

const UNIT = {
  name: 'shingles',
  sources: ['core/text/shingles.c'],
  flags: ['-O3'],
  functions: {
    garner_shingles: {
      returns: 'i64',
      arguments: [
        { name: 'units', type: 'u16*', length: (s: Record<string, number>) => s['n']! },
        { name: 'n', type: 'i64' },
        { name: 'classes', type: 'u8*', length: () => 0x110000 },
        { name: 'out', type: 'u64*', length: (s: Record<string, number>) => s['n']! },
      ],
    },
    garner_letters: {
      returns: 'i64',
      arguments: [
        { name: 'units', type: 'u16*', length: (s: Record<string, number>) => s['n']! },
        { name: 'n', type: 'i64' },
        { name: 'classes', type: 'u8*', length: () => 0x110000 },
        { name: 'out', type: 'u16*', length: (s: Record<string, number>) => s['n']! },
      ],
    },
    garner_sort_distinct: {
      returns: 'i64',
      arguments: [
        { name: 'values', type: 'u64*', length: (s: Record<string, number>) => s['n']! },
        { name: 'n', type: 'i64' },
        { name: 'scratch', type: 'u64*', length: (s: Record<string, number>) => s['n']! },
      ],
    },
  },
} as const;

/** The three steps over raw arrays, in C or in TypeScript: the same bits. */
export interface ShingleKernel {
  /** Hashes of the shingles of `n` code units, in text order, into `out` (room for n); how many. */
  shingles(units: Uint16Array, n: number, classes: Uint8Array, out: BigUint64Array): number;
  /** The code units whose code point has class 1 into `out` (room for n); how many. */
  letters(units: Uint16Array, n: number, classes: Uint8Array, out: Uint16Array): number;
  /** Sorts `n` values in place, ascending, each once; how many are left. */
  sortDistinct(values: BigUint64Array, n: number): number;
}

let chosen: ShingleKernel | undefined;

/** The C kernel, or its twin where this machine has no compiler. */
export function shingleKernel(): ShingleKernel {
  if (chosen) return chosen;
  const library = loadNative(UNIT);
  chosen = library ? nativeKernel(library) : twin;
  return chosen;
}

function nativeKernel({ call }: Library): ShingleKernel {
  let scratch = new BigUint64Array(1 << 12);
  return {
    shingles: (units, n, classes, out) => Number(call['garner_shingles']!(units, n, classes, out)),
    letters: (units, n, classes, out) => Number(call['garner_letters']!(units, n, classes, out)),
    sortDistinct(values, n) {
      if (scratch.length < n) scratch = new BigUint64Array(n);
      return Number(call['garner_sort_distinct']!(values, n, scratch));
    },
  };
}

const rotate = (x: number, n: number) => (x << n) | (x >>> (32 - n));

function finish(h: number): number {
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

function codeAt(units: Uint16Array, n: number, at: number): number {
  const high = units[at]!;
  if ((high & 0xfc00) !== 0xd800 || at + 1 >= n || (units[at + 1]! & 0xfc00) !== 0xdc00) return high;
  return 0x10000 + (((high & 0x3ff) << 10) | (units[at + 1]! & 0x3ff));
}

/** The kernel in TypeScript; the words of 64 bits are pairs of 32, low one first. */
export const twin: ShingleKernel = {
  shingles(units, n, classes, out) {
    const halves = new Uint32Array(out.buffer, out.byteOffset, out.length * 2);
    const lastA = new Int32Array(8);
    const lastB = new Int32Array(8);
    let tokens = 0;
    let made = 0;
    const emit = (first: number, count: number) => {
      let a = count;
      let b = ~count;
      for (let i = 0; i < count; i++) {
        a = Math.imul(a + lastA[(first + i) & 7]!, 0x9e3779b1);
        b = Math.imul(b + lastB[(first + i) & 7]!, 0x846ca68b);
      }
      a = Math.imul(a ^ rotate(b, 13), 0x9e3779b1);
      a ^= a >>> 15;
      b = Math.imul(b ^ a, 0x85ebca77);
      b ^= b >>> 13;
      a = Math.imul(a ^ rotate(b, 7), 0xc2b2ae3d);
      a ^= a >>> 16;
      b ^= rotate(a, 17);
      halves[2 * made] = b;
      halves[2 * made + 1] = a;
      made++;
    };
    const sizeOf = (code: number) => (code > 0xffff ? 2 : 1);
    for (let i = 0; i < n;) {
      let code = codeAt(units, n, i);
      const first = classes[code]!;
      if (first === CLASS.space || first >= CLASS.ignorable) {
        i += sizeOf(code);
        continue;
      }
      let a = 0x811c9dc5;
      let b = 0x2f0b4a27;
      for (let inWord = true; inWord;) {
        for (let k = sizeOf(code); k > 0; k--, i++) {
          a = Math.imul(a ^ units[i]!, 0x01000193);
          b = Math.imul(rotate(b, 5) ^ units[i]!, 0x5bd1e995);
        }
        if (first !== CLASS.word || i >= n) break;
        code = codeAt(units, n, i);
        let kind = classes[code]!;
        // Ignorable characters, and an apostrophe with a letter after it, are passed over inside a word.
        while (kind >= CLASS.ignorable) {
          const next = i + sizeOf(code);
          const nextCode = next < n ? codeAt(units, n, next) : 0x20;
          if (kind === CLASS.apostrophe && classes[nextCode] !== CLASS.word) break;
          i = next;
          code = nextCode;
          kind = next < n ? classes[code]! : CLASS.space;
        }
        inWord = kind === CLASS.word;
      }
      lastA[tokens & 7] = finish(a);
      lastB[tokens & 7] = finish(b);
      if (++tokens >= SHINGLE_TOKENS) emit(tokens - SHINGLE_TOKENS, SHINGLE_TOKENS);
    }
    if (tokens > 0 && tokens < SHINGLE_TOKENS) emit(0, tokens);
    return made;
  },
  letters(units, n, classes, out) {
    let made = 0;
    for (let i = 0; i < n;) {
      const code = codeAt(units, n, i);
      const keep = classes[code] === 1;
      for (let k = code > 0xffff ? 2 : 1; k > 0; k--, i++) if (keep) out[made++] = units[i]!;
    }
    return made;
  },
  sortDistinct(values, n) {
    values.subarray(0, n).sort();
    const halves = new Uint32Array(values.buffer, values.byteOffset, n * 2);
    let made = 0;
    for (let i = 0; i < n; i++) {
      if (i > 0 && halves[2 * i] === halves[2 * made - 2] && halves[2 * i + 1] === halves[2 * made - 1]) continue;
      halves[2 * made] = halves[2 * i]!;
      halves[2 * made + 1] = halves[2 * i + 1]!;
      made++;
    }
    return made;
  },
};

/** Turns texts into code units in one buffer that grows with the longest text. */
function unitBuffer(): (text: string) => Uint16Array {
  let bytes = Buffer.alloc(1 << 16);
  return (text) => {
    if (bytes.length < text.length * 2) bytes = Buffer.alloc(text.length * 2 + (1 << 16));
    bytes.write(text, 'utf16le');
    return new Uint16Array(bytes.buffer, bytes.byteOffset, text.length);
  };
}

/**
 * Makes the function from a text to the hashes of its distinct shingles, ascending (64 bits each). An empty text has none,
 * a text of 1 to 4 tokens one; of a text longer than SHINGLED_UNITS only its beginning counts. The result lies in a shared buffer: it holds until the next call.
 * Two different shingles share a hash with a chance of n² / 2^65 among n.
 */
export function createShingler(reading: Reading, kernel = shingleKernel()): (text: string) => BigUint64Array {
  const classes = reading === 'plain' ? plainClasses() : normalisedClasses();
  const toUnits = unitBuffer();
  let out = new BigUint64Array(1 << 12);
  return (text) => {
    const shown = text.length > SHINGLED_UNITS ? text.slice(0, SHINGLED_UNITS) : text;
    const units = toUnits(reading === 'plain' ? shown.toLowerCase() : normalise(shown));
    if (out.length < units.length) out = new BigUint64Array(units.length);
    const made = kernel.shingles(units, units.length, classes, out);
    return out.subarray(0, kernel.sortDistinct(out, made));
  };
}

/** Makes the function from a text to the code units of its letters, numbers and marks alone, normalised; a shared buffer. */
export function createLetters(kernel = shingleKernel()): (text: string) => Uint16Array {
  const classes = letterClasses();
  const toUnits = unitBuffer();
  let out = new Uint16Array(1 << 12);
  return (text) => {
    const units = toUnits(normalise(text));
    if (out.length < units.length) out = new Uint16Array(units.length);
    return out.subarray(0, kernel.letters(units, units.length, classes, out));
  };
}

/** How many values two ascending lists of distinct 64-bit words share. */
function intersection(a: BigUint64Array, b: BigUint64Array): number {
  const x = new Uint32Array(a.buffer, a.byteOffset, a.length * 2);
  const y = new Uint32Array(b.buffer, b.byteOffset, b.length * 2);
  let shared = 0;
  for (let i = 0, j = 0; i < x.length && j < y.length;) {
    const high = x[i + 1]! - y[j + 1]!;
    const order = high === 0 ? x[i]! - y[j]! : high;
    if (order === 0) shared++;
    if (order <= 0) i += 2;
    if (order >= 0) j += 2;
  }
  return shared;
}

/** Jaccard similarity of two sets of shingles, |A ∩ B| / |A ∪ B|; 1 for two empty ones. */
export function jaccard(a: BigUint64Array, b: BigUint64Array): number {
  const shared = intersection(a, b);
  const union = a.length + b.length - shared;
  return union === 0 ? 1 : shared / union;
}
