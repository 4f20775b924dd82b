const SMALLEST = 1 << 10;
/** Slots that are kept from text to text; a larger table is given back with the next text. */
const LARGEST_KEPT = 1 << 18;
let table = new Int32Array(LARGEST_KEPT);
let stamp = 0;

export interface Slots {
  /** An entry e is stored as `base + e + 1`; what is not above `base` is free. */
  slots: Int32Array;
  base: number;
  /** Slots in use, a power of two that is at least four times the entries, less one. */
  mask: number;
}

/**
 * An open-addressing table for `entries` numbers from 0, shared by all users in this thread, one at a time. Old contents lie
 * under the stamp, so that it is cleared once in a while only: a fresh array a text costs more than the work on it.
 */
export function freshSlots(entries: number): Slots {
  let size = SMALLEST;
  while (size < entries * 4) size *= 2;
  if (size > table.length || (table.length > LARGEST_KEPT && size <= LARGEST_KEPT)) {
    table = new Int32Array(Math.max(size, LARGEST_KEPT));
    stamp = 0;
  } else if (stamp > 0x7fffffff - entries - 1) {
    table.fill(0);
    stamp = 0;
  }
  const base = stamp;
  stamp += entries + 1;
  return { slots: table, base, mask: size - 1 };
}
