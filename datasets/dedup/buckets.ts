import { grown } from './sets.ts';

/** Entries a bucket holds at most: the first ones, so that a crowded bucket costs no more than others. */
export const BUCKET_LIMIT = 32;

/** A hash table from 64-bit band keys to lists of whole numbers, in typed arrays: about 40 bytes an entry, no limit of Map's. */
export interface BucketTable {
  /** Appends to the list of a key; false where the list was full. */
  add(low: number, high: number, value: number): boolean;
  /** Visits the list of a key, newest first. */
  visit(low: number, high: number, each: (value: number) => void): void;
  /** Forgets everything; costs what was used. */
  clear(): void;
}

/** An empty table. */
export function createBucketTable(): BucketTable {
  let capacity = 1 << 10;
  let keys = new Int32Array(capacity * 2);
  let heads = new Int32Array(capacity).fill(-1);
  let counts = new Uint8Array(capacity);
  let used = new Int32Array(capacity);
  let usedCount = 0;
  let values = new Int32Array(1 << 10);
  let next = new Int32Array(1 << 10);
  let entries = 0;

  const slotOf = (low: number, high: number): number => {
    const mask = capacity - 1;
    let slot = (low ^ Math.imul(high, 0x9e3779b1)) & mask;
    while (heads[slot] !== -1 && (keys[2 * slot] !== low || keys[2 * slot + 1] !== high)) slot = (slot + 1) & mask;
    return slot;
  };
  const enlarge = () => {
    const old = { keys, heads, counts, used };
    capacity *= 2;
    keys = new Int32Array(capacity * 2);
    heads = new Int32Array(capacity).fill(-1);
    counts = new Uint8Array(capacity);
    used = new Int32Array(capacity);
    for (let i = 0; i < usedCount; i++) {
      const from = old.used[i]!;
      const to = slotOf(old.keys[2 * from]!, old.keys[2 * from + 1]!);
      keys[2 * to] = old.keys[2 * from]!;
      keys[2 * to + 1] = old.keys[2 * from + 1]!;
      heads[to] = old.heads[from]!;
      counts[to] = old.counts[from]!;
      used[i] = to;
    }
  };
  return {
    add(low, high, value) {
      low |= 0;
      high |= 0;
      if (usedCount * 2 >= capacity) enlarge();
      const slot = slotOf(low, high);
      if (heads[slot] === -1) {
        keys[2 * slot] = low;
        keys[2 * slot + 1] = high;
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
    visit(low, high, each) {
      for (let e = heads[slotOf(low | 0, high | 0)]!; e !== -1; e = next[e]!) each(values[e]!);
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
