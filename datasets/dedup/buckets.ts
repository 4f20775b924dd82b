import { grown } from './sets.ts';

/** Entries a bucket holds at most: the first ones, so that a crowded bucket costs no more than others. */
export const BUCKET_LIMIT = 32;

/**
 * A hash table from 32-bit keys to short lists of whole numbers, in typed arrays: 25 to 33 bytes an entry where each has a
 * key of its own, and no limit like a Map's. Keys are hashes cut to 32 bits: a list may also hold, rarely, what belongs to
 * another hash, so whoever asks compares what lies behind the numbers.
 */
export interface BucketTable {
  /** Appends to the list of a key; false where the list was full. */
  add(key: number, value: number): boolean;
  /** Visits the list of a key, newest first. */
  visit(key: number, each: (value: number) => void): void;
  /** Forgets everything; costs what was used. */
  clear(): void;
}

/** An empty table. */
export function createBucketTable(): BucketTable {
  let capacity = 1 << 10;
  let keys = new Int32Array(capacity);
  let heads = new Int32Array(capacity).fill(-1);
  let counts = new Uint8Array(capacity);
  let used = new Int32Array(capacity);
  let usedCount = 0;
  let values = new Int32Array(1 << 10);
  let next = new Int32Array(1 << 10);
  let entries = 0;

  const slotOf = (key: number): number => {
    const mask = capacity - 1;
    let slot = (key ^ (key >>> 15)) & mask;
    while (heads[slot] !== -1 && keys[slot] !== key) slot = (slot + 1) & mask;
    return slot;
  };
  const enlarge = () => {
    const old = { keys, heads, counts, used };
    capacity *= 2;
    keys = new Int32Array(capacity);
    heads = new Int32Array(capacity).fill(-1);
    counts = new Uint8Array(capacity);
    used = new Int32Array(capacity);
    for (let i = 0; i < usedCount; i++) {
      const from = old.used[i]!;
      const to = slotOf(old.keys[from]!);
      keys[to] = old.keys[from]!;
      heads[to] = old.heads[from]!;
      counts[to] = old.counts[from]!;
      used[i] = to;
    }
  };
  return {
    add(key, value) {
      key |= 0;
      if (usedCount * 4 >= capacity * 3) enlarge();
      const slot = slotOf(key);
      if (heads[slot] === -1) {
        keys[slot] = key;
        used[usedCount++] = slot;
      }
      if (counts[slot]! >= BUCKET_LIMIT) return false;
      if (entries === values.length) {
        values = grown(values, new Int32Array(entries * 2));
        next = grown(next, new Int32Array(entries * 2));
      }
      values[entries] = value;
      next[entries] = heads[slot]!;
      heads[slot] = entries++;
      counts[slot]!++;
      return true;
    },
    visit(key, each) {
      for (let e = heads[slotOf(key | 0)]!; e !== -1; e = next[e]!) each(values[e]!);
    },
    clear() {
      for (let i = 0; i < usedCount; i++) {
        heads[used[i]!] = -1;
        counts[used[i]!] = 0;
      }
      usedCount = entries = 0;
    },
  };
}
