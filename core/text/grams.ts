import { freshSlots } from './scratch.ts';
import type { Words } from './words.ts';

/** Counts over the n-grams of one text. Characters are code points. */
export interface Grams {
  /**
   * Characters of the commonest n-gram, its words joined by single spaces, times how often it occurs; overlapping hits all
   * count, and of equally frequent ones the first in the text is taken. Null where there are fewer than n words.
   */
  top(n: number): number | null;
  /**
   * Characters, spaces not counted, of n-grams seen before, on a walk from left to right that jumps over each one it finds.
   * N-grams are alike if their words joined without spaces are ("ab c" is "a bc"): datatrove's count.
   */
  repeated(n: number): number;
}

/** Prepares the n-grams of a text: numbers in place of strings, sums in place of joins. */
export function openGrams(units: Uint16Array, words: Words): Grams {
  const { count, kinds, lengths } = words;
  const before = new Int32Array(count + 1);
  for (let i = 0; i < count; i++) before[i + 1] = before[i]! + lengths[kinds[i]!]!;
  let deepest: Level = { n: 1, ids: kinds, different: words.different };
  const level = (n: number): Level => {
    if (deepest.n > n) deepest = { n: 1, ids: kinds, different: words.different };
    while (deepest.n < n) deepest = longer(deepest, kinds, count);
    return deepest;
  };
  let keys: Keys | undefined;
  return {
    top(n) {
      if (count < n) return null;
      const { ids, different } = level(n);
      const times = new Int32Array(different);
      const total = count - n + 1;
      for (let i = 0; i < total; i++) times[ids[i]!]!++;
      let best = 0;
      for (let id = 1; id < different; id++) if (times[id]! > times[best]!) best = id;
      const at = ids.indexOf(best);
      return (before[at + n]! - before[at]! + n - 1) * times[best]!;
    },
    repeated(n) {
      if (count < n) return 0;
      keys ??= openKeys(units, words);
      return walk(keys, words, units, before, n);
    },
  };
}

interface Level {
  n: number;
  /** Number of the n-gram that starts at each word, by first appearance. */
  ids: Int32Array;
  different: number;
}

/** N-grams of one word more: pairs of an n-gram's number and the next word's. */
function longer({ n, ids }: Level, kinds: Int32Array, count: number): Level {
  const total = count - n;
  const { slots, base, mask } = freshSlots(total);
  const longerIds = new Int32Array(total);
  const first = new Int32Array(total);
  let different = 0;
  for (let i = 0; i < total; i++) {
    const a = ids[i]!;
    const b = kinds[i + n]!;
    let hash = Math.imul(a, 0x9e3779b1) ^ Math.imul(b, 0x85ebca6b);
    hash ^= hash >>> 15;
    let slot = hash & mask;
    for (;;) {
      const id = slots[slot]! - base - 1;
      if (id < 0) {
        slots[slot] = base + different + 1;
        first[different] = i;
        longerIds[i] = different++;
        break;
      }
      const other = first[id]!;
      if (ids[other] === a && kinds[other + n] === b) {
        longerIds[i] = id;
        break;
      }
      slot = (slot + 1) & mask;
    }
  }
  return { n: n + 1, ids: longerIds, different };
}

const BASE = 0x01000193;
/** BASE · INVERSE = 1 modulo 2³². */
const INVERSE = inverse(BASE);

function inverse(odd: number): number {
  let x = odd;
  for (let i = 0; i < 5; i++) x = Math.imul(x, 2 - Math.imul(odd, x));
  return x;
}

/** Polynomial hashes of the words' characters in a row: the key of any run of words is a difference, whatever its borders. */
interface Keys {
  /** Σ cₖ·BASEᵏ over the characters of the first i words. */
  sums: Int32Array;
  /** BASE to the minus number of those characters. */
  shifts: Int32Array;
}

function openKeys(units: Uint16Array, { count, bounds, kinds, different, example }: Words): Keys {
  const polynomials = new Int32Array(different);
  const powers = new Int32Array(different);
  const inverses = new Int32Array(different);
  for (let kind = 0; kind < different; kind++) {
    let [sum, power, back] = [0, 1, 1];
    for (let k = bounds[2 * example[kind]!]!; k < bounds[2 * example[kind]! + 1]!; k++) {
      sum = (sum + Math.imul(units[k]! + 1, power)) | 0;
      power = Math.imul(power, BASE);
      back = Math.imul(back, INVERSE);
    }
    polynomials[kind] = sum;
    powers[kind] = power;
    inverses[kind] = back;
  }
  const sums = new Int32Array(count + 1);
  const shifts = new Int32Array(count + 1);
  shifts[0] = 1;
  let power = 1;
  for (let i = 0; i < count; i++) {
    const kind = kinds[i]!;
    sums[i + 1] = (sums[i]! + Math.imul(polynomials[kind]!, power)) | 0;
    shifts[i + 1] = Math.imul(shifts[i]!, inverses[kind]!);
    power = Math.imul(power, powers[kind]!);
  }
  return { sums, shifts };
}

function walk({ sums, shifts }: Keys, words: Words, units: Uint16Array, before: Int32Array, n: number): number {
  const { count } = words;
  const { slots, base, mask } = freshSlots(count);
  let characters = 0;
  for (let i = 0; i + n <= count;) {
    let key = Math.imul(sums[i + n]! - sums[i]!, shifts[i]!);
    key = Math.imul(key ^ (key >>> 16), 0x85ebca6b);
    key ^= key >>> 13;
    let slot = key & mask;
    let seen = false;
    for (; slots[slot]! > base; slot = (slot + 1) & mask)
      if (alike(words, units, slots[slot]! - base - 1, i, n)) {
        seen = true;
        break;
      }
    if (seen) {
      characters += before[i + n]! - before[i]!;
      i += n;
    } else {
      slots[slot] = base + i + 1;
      i++;
    }
  }
  return characters;
}

/** Whether n words from `a` and n words from `b` are the same characters. */
function alike({ kinds, bounds }: Words, units: Uint16Array, a: number, b: number, n: number): boolean {
  let same = 0;
  while (same < n && kinds[a + same] === kinds[b + same]) same++;
  if (same === n) return true;
  let [wordA, wordB] = [a + same, b + same];
  let [x, y] = [bounds[2 * wordA]!, bounds[2 * wordB]!];
  for (;;) {
    while (wordA < a + n && x === bounds[2 * wordA + 1]!) if (++wordA < a + n) x = bounds[2 * wordA]!;
    while (wordB < b + n && y === bounds[2 * wordB + 1]!) if (++wordB < b + n) y = bounds[2 * wordB]!;
    if (wordA === a + n || wordB === b + n) return wordA === a + n && wordB === b + n;
    if (units[x++] !== units[y++]) return false;
  }
}
