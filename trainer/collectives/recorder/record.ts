import { closeSync, fstatSync, mkdirSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { GarnerError } from '../../../core/errors.ts';
import { viewMemory } from '../../../core/native/memory.ts';
import { ENTRY, FILE, fileBytes, KEPT_CALLS, KEPT_STEPS, MAGIC, PAGE, RANK, SECTION } from './layout.ts';

/** A collective or a message that a rank begins. */
export interface Begun {
  /** Number of the group; the world is 0. */
  group: number;
  sequence: number;
  /** Place in CALLS. */
  call: number;
  /** 0: float32, 1: float64. */
  type: number;
  count: number;
  /** Of a message the other rank; −1 of a collective. */
  peer: number;
}

/** What a rank tells the flight recorder. */
export interface Recorder {
  /** A call begins; what it returns tells of its end. `members`: ranks of the group. */
  begin(call: Begun, members: readonly number[]): () => void;
  /** A step has ended; `waited`: seconds of it spent waiting for others. */
  note(step: number, seconds: number, waited: number): void;
  close(): void;
}

/** Makes the file anew for `ranks` ranks: written whole, so that a full disk is noticed now and not in the middle of a training. */
export function createRecorder(path: string, ranks: number): void {
  mkdirSync(dirname(path), { recursive: true });
  rmSync(path, { force: true });
  const bytes = new Float64Array(fileBytes(ranks) / 8);
  bytes[FILE.magic] = MAGIC;
  bytes[FILE.ranks] = ranks;
  writeFileSync(path, bytes);
}

/** Opens a rank's part of the file. What it writes outlives the process, however that ends. */
export function openRecorder(path: string, rank: number): Recorder {
  const numbers = mapSection(path, rank);
  const [about, ring] = [numbers.subarray(0, PAGE / 8), numbers.subarray(PAGE / 8)];
  numbers.fill(0);
  about[RANK.pid] = process.pid;
  about[RANK.entered] = Date.now();
  const masks = new WeakMap<readonly number[], Float64Array>();
  const maskOf = (members: readonly number[]): Float64Array => {
    let mask = masks.get(members);
    if (!mask) {
      mask = new Float64Array(8);
      for (const member of members) mask[member >> 5]! += 2 ** (member & 31);
      masks.set(members, mask);
    }
    return mask;
  };
  return {
    begin(call, members) {
      const number = about[RANK.calls]!;
      const entry = ring.subarray((number % KEPT_CALLS) * ENTRY.size, ((number % KEPT_CALLS) + 1) * ENTRY.size);
      // A reader takes an entry without a sequence for none.
      entry[ENTRY.sequence] = 0;
      entry[ENTRY.group] = call.group;
      entry[ENTRY.call] = call.call;
      entry[ENTRY.type] = call.type;
      entry[ENTRY.count] = call.count;
      entry[ENTRY.peer] = call.peer;
      entry[ENTRY.begun] = performance.now();
      entry[ENTRY.ended] = 0;
      entry[ENTRY.wall] = Date.now();
      entry.set(maskOf(members), ENTRY.members);
      entry[ENTRY.sequence] = call.sequence;
      about[RANK.calls] = number + 1;
      return () => {
        // More calls may have begun since than are kept.
        if (about[RANK.calls]! - number <= KEPT_CALLS) entry[ENTRY.ended] = performance.now();
      };
    },
    note(step, seconds, waited) {
      const number = about[RANK.steps]!;
      about.set([step, seconds, waited], RANK.ring + 3 * (number % KEPT_STEPS));
      about[RANK.steps] = number + 1;
    },
    close: () => void (about[RANK.closed] = Date.now()),
  };
}

/** The mapping stays until the process ends. */
function mapSection(path: string, rank: number): Float64Array {
  const koffi = createRequire(import.meta.url)('koffi') as {
    load(path: null): { func(prototype: string): (...args: unknown[]) => bigint | null };
  };
  const mmap = koffi.load(null).func('void *mmap(void *, size_t, int, int, int, int64_t)');
  const fd = openSync(path, 'r+');
  try {
    if (fstatSync(fd).size < PAGE + (rank + 1) * SECTION)
      throw new GarnerError({ what: `the flight recorder has no place for rank ${rank}`, where: path });
    const [readAndWrite, shared] = [3, 1];
    const address = mmap(null, SECTION, readAndWrite, shared, fd, PAGE + rank * SECTION);
    if (address === null || BigInt.asIntN(64, address) === -1n)
      throw new GarnerError({
        what: 'the flight recorder cannot be mapped',
        where: path,
        hint: 'put it on a local disk',
      });
    return new Float64Array(viewMemory(address, SECTION));
  } finally {
    closeSync(fd);
  }
}
