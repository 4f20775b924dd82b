import { readFileSync } from 'node:fs';
import { GarnerError } from '../../../core/errors.ts';
import { CALLS } from '../words.ts';
import { ENTRY, FILE, fileBytes, KEPT_CALLS, KEPT_STEPS, MAGIC, PAGE, RANK, SECTION } from './layout.ts';

/** What a flight recorder kept: plain data. */
export interface Flight {
  ranks: RankFlight[];
}

export interface RankFlight {
  rank: number;
  /** Null: it never entered. */
  pid: number | null;
  /** It left in good order. */
  left: boolean;
  /** The last ones, oldest first. */
  calls: RecordedCall[];
  /** The last ones, oldest first: number, seconds, and how many of these it waited for others. */
  steps: { step: number; seconds: number; waited: number }[];
}

export interface RecordedCall {
  /** Number of the group; the world is 0. */
  group: number;
  /** Ranks of the world. */
  members: number[];
  sequence: number;
  call: string;
  type: 'f32' | 'f64';
  count: number;
  /** Of a message. */
  peer: number | null;
  /** When it began, ISO 8601. */
  at: string;
  /** From begin to end [s]; null while it has not ended. */
  seconds: number | null;
}

/** Reads the file of a flight recorder, also while ranks write to it. Throws a GarnerError when it is none. */
export function readRecorder(path: string): Flight {
  const bytes = readFileSync(path);
  const whole = new Float64Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + (bytes.length & ~7)));
  const ranks = whole[FILE.ranks] ?? 0;
  if (whole[FILE.magic] !== MAGIC || !(ranks >= 1 && ranks <= 2 ** 16) || bytes.length < fileBytes(ranks))
    throw new GarnerError({ what: 'this is no file of a flight recorder', where: path, fault: 2 });
  return {
    ranks: Array.from({ length: ranks }, (_, rank) => {
      const at = (PAGE + rank * SECTION) / 8;
      return readRank(rank, whole.subarray(at, at + PAGE / 8), whole.subarray(at + PAGE / 8, at + SECTION / 8));
    }),
  };
}

function readRank(rank: number, about: Float64Array, ring: Float64Array): RankFlight {
  const last = (kept: number, total: number) =>
    Array.from({ length: Math.min(kept, total) }, (_, i) => (Math.max(0, total - kept) + i) % kept);
  const calls = last(KEPT_CALLS, about[RANK.calls]!)
    .map((place) => ring.subarray(place * ENTRY.size, (place + 1) * ENTRY.size))
    .filter((entry) => entry[ENTRY.sequence]! > 0)
    .map(readCall);
  const steps = last(KEPT_STEPS, about[RANK.steps]!).map((place) => {
    const [step, seconds, waited] = about.subarray(RANK.ring + 3 * place, RANK.ring + 3 * place + 3);
    return { step: step!, seconds: seconds!, waited: waited! };
  });
  return { rank, pid: about[RANK.pid]! || null, left: about[RANK.closed]! > 0, calls, steps };
}

function readCall(entry: Float64Array): RecordedCall {
  const members: number[] = [];
  for (let word = 0; word < 8; word++)
    for (let bit = 0; bit < 32; bit++)
      if (Math.floor(entry[ENTRY.members + word]! / 2 ** bit) % 2) members.push(32 * word + bit);
  const [begun, ended] = [entry[ENTRY.begun]!, entry[ENTRY.ended]!];
  return {
    group: entry[ENTRY.group]!,
    members,
    sequence: entry[ENTRY.sequence]!,
    call: CALLS[entry[ENTRY.call]!] ?? 'unknown',
    type: entry[ENTRY.type] === 1 ? 'f64' : 'f32',
    count: entry[ENTRY.count]!,
    peer: entry[ENTRY.peer]! < 0 ? null : entry[ENTRY.peer]!,
    at: new Date(entry[ENTRY.wall]!).toISOString(),
    seconds: ended > 0 ? (ended - begun) / 1000 : null,
  };
}
