import { freshSlots } from './scratch.ts';
import type { Words } from './words.ts';

/** Counts over the n-grams of one text. Characters are code points. */
export interface GramCounts {
  /**
   * For each n asked for: characters of the commonest n-gram, its words joined by single spaces, times how often it occurs;
   * overlapping hits all count, and of equally frequent ones the first in the text is taken. Null where there are fewer
   * than n words.
   */
  top: (number | null)[];
  /**
   * For each n asked for: characters, spaces not counted, of n-grams seen before, on a walk from left to right that jumps
   * over each one it finds. N-grams are alike if their words joined without spaces are ("ab c" is "a bc"): datatrove's count.
   */
  repeated: number[];
}

/** Counts n-grams with numbers in place of strings and sums in place of joins. `topSizes` go up, from 2 on. */
export function countGrams(
  units: Uint16Array,
  words: Words,
  topSizes: readonly number[],
  repeatedSizes: readonly number[],
): GramCounts {
  const { count, kinds, lengths } = words;
  const before = ints('before', count + 1);
  before[0] = 0;
  for (let i = 0; i < count; i++) before[i + 1] = before[i]! + lengths[kinds[i]!]!;
  const keys = openKeys(units, words);
  return {
    top: commonest(words, before, topSizes),
    repeated: repeatedSizes.map((n) => walk(keys, words, units, before, n)),
  };
}

/** Arrays that are used within one call and kept for the next: fresh ones for each text cost more than the counting. */
const kept = new Map<string, Int32Array>();

/** At least `length` numbers, of any content. */
function ints(name: string, length: number): Int32Array {
  let array = kept.get(name);
  if (!array || array.length < length || (array.length > MOST_KEPT && length <= MOST_KEPT))
    kept.set(name, (array = new Int32Array(Math.max(length, FEWEST_KEPT))));
  return array;
}

const FEWEST_KEPT = 1 << 12;
const MOST_KEPT = 1 << 18;

/** An n-gram that occurs once. */
const ALONE = -1;

function commonest(words: Words, before: Int32Array, sizes: readonly number[]): (number | null)[] {
  const { count, kinds, different } = words;
  const largest = sizes.at(-1) ?? 0;
  // The number of the n-gram at each word, for n = 1, 2 …; how often each number occurs; where it occurs first.
  const ids = ints('ids', count);
  ids.set(kinds);
  let times = ints('times', Math.max(different, count));
  let nextTimes = ints('next times', count);
  times.fill(0, 0, different);
  for (let i = 0; i < count; i++) times[ids[i]!]!++;
  const first = ints('first', count);
  const found = new Map<number, number | null>();
  for (let n = 2; n <= largest; n++) {
    const grams = count >= n ? lengthen(ids, times, nextTimes, first, kinds, count, n) : 0;
    [times, nextTimes] = [nextTimes, times];
    if (!sizes.includes(n)) continue;
    let best = ALONE;
    for (let id = 0; id < grams; id++) if (times[id]! > (best === ALONE ? 1 : times[best]!)) best = id;
    const at = best === ALONE ? 0 : first[best]!;
    const hits = best === ALONE ? 1 : times[best]!;
    found.set(n, count < n ? null : (before[at + n]! - before[at]! + n - 1) * hits);
  }
  return sizes.map((n) => found.get(n)!);
}

/**
 * Turns the numbers of (n − 1)-grams into those of n-grams, counts these and says how many there are. One of which a part
 * occurs once occurs once: it gets no number, which is most of them in prose.
 */
function lengthen(
  ids: Int32Array,
  shorterTimes: Int32Array,
  times: Int32Array,
  first: Int32Array,
  kinds: Int32Array,
  count: number,
  n: number,
): number {
  const total = count - n + 1;
  const { slots, base, mask } = freshSlots(total);
  const firstShorter = ints('first shorter', total);
  let different = 0;
  for (let i = 0; i < total; i++) {
    const a = ids[i]!;
    const next = ids[i + 1]!;
    if (a === ALONE || next === ALONE || shorterTimes[a] === 1 || shorterTimes[next] === 1) {
      ids[i] = ALONE;
      continue;
    }
    const b = kinds[i + n - 1]!;
    let hash = Math.imul(a, 0x9e3779b1) ^ Math.imul(b, 0x85ebca6b);
    hash ^= hash >>> 15;
    let slot = hash & mask;
    for (;;) {
      const id = slots[slot]! - base - 1;
      if (id < 0) {
        slots[slot] = base + different + 1;
        first[different] = i;
        firstShorter[different] = a;
        times[different] = 1;
        ids[i] = different++;
        break;
      }
      if (firstShorter[id] === a && kinds[first[id]! + n - 1] === b) {
        times[id]!++;
        ids[i] = id;
        break;
      }
      slot = (slot + 1) & mask;
    }
  }
  return different;
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
  const polynomials = ints('polynomials', different);
  const powers = ints('powers', different);
  const inverses = ints('inverses', different);
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
  const sums = ints('sums', count + 1);
  const shifts = ints('shifts', count + 1);
  sums[0] = 0;
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
