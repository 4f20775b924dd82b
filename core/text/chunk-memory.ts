/** Chunks that were cut before: found by their code units, without making a string. */
export interface ChunkMemory {
  /** The entry of a chunk whose hash is `hash`, or -1. */
  find(units: Uint16Array, start: number, end: number, hash: number): number;
  /** Remembers where a chunk's tokens end, counted from its start. A chunk of over LONGEST units is not remembered. */
  add(units: Uint16Array, start: number, end: number, hash: number, ends: readonly number[]): void;
  /** Where the tokens of entry e end: `ends[first[e]]` to `ends[first[e + 1]]`, exclusive. */
  first: Int32Array;
  ends: Uint8Array;
}

/** Chunks of more code units are cut each time. */
export const LONGEST = 48;

/** The hash of a stretch. */
export function hashOf(units: Uint16Array, start: number, end: number): number {
  let hash = 0;
  for (let i = start; i < end; i++) hash = (Math.imul(hash, 31) + units[i]!) | 0;
  return hash;
}

const ENTRIES = 1 << 16;

/** A memory of bounded size (by default about 4 MB): it starts anew when it is full. */
export function openChunkMemory(entriesMost: number = ENTRIES): ChunkMemory {
  const [slotCount, unitsMost] = [entriesMost * 2, entriesMost * 10];
  const slots = new Int32Array(slotCount);
  const hashes = new Int32Array(entriesMost);
  const starts = new Int32Array(entriesMost + 1);
  const held = new Uint16Array(unitsMost + LONGEST);
  const first = new Int32Array(entriesMost + 1);
  const ends = new Uint8Array(unitsMost + LONGEST);
  let entries = 0;
  const same = (entry: number, units: Uint16Array, start: number, end: number) => {
    const from = starts[entry]!;
    if (starts[entry + 1]! - from !== end - start) return false;
    for (let k = 0; k < end - start; k++) if (held[from + k] !== units[start + k]) return false;
    return true;
  };
  const slotOf = (hash: number) => (Math.imul(hash, 0x9e3779b1) >>> 8) & (slotCount - 1);
  return {
    first,
    ends,
    find(units, start, end, hash) {
      for (let slot = slotOf(hash); slots[slot] !== 0; slot = (slot + 1) & (slotCount - 1)) {
        const entry = slots[slot]! - 1;
        if (hashes[entry] === hash && same(entry, units, start, end)) return entry;
      }
      return -1;
    },
    add(units, start, end, hash, chunkEnds) {
      if (end - start > LONGEST) return;
      if (entries === entriesMost || starts[entries]! > unitsMost || first[entries]! > unitsMost) {
        slots.fill(0);
        entries = 0;
      }
      let slot = slotOf(hash);
      while (slots[slot] !== 0) slot = (slot + 1) & (slotCount - 1);
      slots[slot] = entries + 1;
      hashes[entries] = hash;
      held.set(units.subarray(start, end), starts[entries]);
      starts[entries + 1] = starts[entries]! + end - start;
      for (let i = 0; i < chunkEnds.length; i++) ends[first[entries]! + i] = chunkEnds[i]! - start;
      first[entries + 1] = first[entries]! + chunkEnds.length;
      entries++;
    },
  };
}
