import { type Floats, RankLost } from '../group.ts';
import type { Recorder } from '../recorder/record.ts';
import { callWords, type Header, outOfStep } from '../words.ts';
import type { Mpi } from './library.ts';

/** What the groups of an open world share. */
export interface OpenMpi {
  mpi: Mpi;
  /** In the world. */
  rank: number;
  patience: number;
  check: boolean;
  /** Most floats of a message, and how many may be unread. */
  mailbox: { floats: number; depth: number };
  /** Elements that are summed at once: bounds the memory beside x. */
  piece: number;
  recorder: Recorder | null;
  isOpen(): boolean;
  /** Seconds in waits. */
  waited: number;
  /** What was told to others and may still be under way. */
  notices: Pending[];
}

/** A communicator and its members, as ranks of the world. */
export interface Communicator {
  handle: bigint | number;
  me: number;
  members: readonly number[];
}

/** Room for MPI's handle of something under way. */
export type Request = BigInt64Array | Int32Array;

/** What is waited for, and what must neither move nor go meanwhile. */
export interface Pending {
  requests: Request[];
  keep: unknown;
}

export const LETTER = 0;
const NOTICE = 1;
/** Polls before the core is offered to others, and between looks at the clock. */
const POLLS = 300;
const LOOK = 1024;
/** A wait this long tells the other members where it is [s], so that at the end each knows who has not come. */
const TELL_AFTER = 1;
/** Between looks for what others tell [s]. */
const LISTEN = 0.1;

/** V8 keeps small arrays inside its heap, where they move: what MPI holds on to must lie outside. */
export function pin<T extends Floats | Int32Array>(x: T): T {
  void x.buffer;
  return x;
}

/** Where this rank is: for the sentence when nobody comes. */
export interface Whereabouts extends Header {
  sequence: number;
}

/** Waits until MPI says that all of it is done; throws as `waitUntil` does. */
export function waitFor(world: OpenMpi, group: Communicator, { requests, keep }: Pending, at: Whereabouts): void {
  for (const request of requests) waitUntil(world, group, () => isDone(world, request), at);
  // Until here the engine may not take it for unused.
  void keep;
}

const flag = new Int32Array(1);

export function isDone({ mpi }: OpenMpi, request: Request): boolean {
  mpi.call.MPI_Test(request, flag, mpi.ignore);
  return flag[0] !== 0;
}

/**
 * Waits for others. After the world's patience throws RankLost with a member that has not said that it is here too, or what
 * `outOfStep` says when one is elsewhere. `peer`: of a message, the only member that is waited for.
 */
export function waitUntil(
  world: OpenMpi,
  group: Communicator,
  done: () => boolean,
  at: Whereabouts,
  peer?: number,
): void {
  if (done()) return;
  const began = performance.now();
  const notices = openNotices(world, group, at);
  let listened = 0;
  for (let polls = 1; !done(); polls++) {
    if (polls > POLLS) world.mpi.yield();
    if (polls % LOOK) continue;
    const seconds = (performance.now() - began) / 1000;
    if (seconds > world.patience) throw explainAbsence(world, group, notices, at, peer);
    if (seconds > Math.min(TELL_AFTER, world.patience / 2) && peer === undefined && seconds > listened + LISTEN) {
      listened = seconds;
      notices.exchange();
    }
  }
  world.waited += (performance.now() - began) / 1000;
}

/** Members tell each other in which call they wait. */
function openNotices(world: OpenMpi, group: Communicator, at: Whereabouts) {
  const { mpi } = world;
  const heard = new Map<number, Whereabouts>();
  let told = false;
  const others = group.members.map((_, r) => r).filter((r) => r !== group.me);
  return {
    heard,
    exchange() {
      if (!told)
        for (const r of others) {
          const notice = pin(Float64Array.of(at.sequence, at.call, at.type, at.count, at.shape));
          const request = mpi.room();
          mpi.call.MPI_Isend(notice, notice.length, mpi.types.f64, r, NOTICE, group.handle, request);
          world.notices = [
            ...world.notices.filter(({ requests }) => !isDone(world, requests[0]!)),
            { requests: [request], keep: notice },
          ];
        }
      told = true;
      for (const r of others) {
        for (;;) {
          mpi.call.MPI_Iprobe(r, NOTICE, group.handle, flag, mpi.ignore);
          if (!flag[0]) break;
          const said = new Float64Array(5);
          mpi.call.MPI_Recv(said, said.length, mpi.types.f64, r, NOTICE, group.handle, mpi.ignore);
          const [sequence, call, type, count, shape] = said as unknown as [number, number, number, number, number];
          // What an earlier, longer wait has left is of no interest.
          if (sequence >= at.sequence) heard.set(r, { sequence, call, type, count, shape });
        }
      }
    },
  };
}

function explainAbsence(
  { patience, rank }: OpenMpi,
  { members, me }: Communicator,
  { heard }: ReturnType<typeof openNotices>,
  at: Whereabouts,
  peer?: number,
): Error {
  const missing = peer ?? members.findIndex((_, r) => r !== me && !heard.has(r));
  if (missing >= 0)
    return new RankLost(
      members[missing]!,
      `did not come to ${callWords(at, at.sequence)}: another waited ${patience} s for it`,
    );
  for (const [r, other] of heard)
    if (differs(at, other)) return outOfStep(at.sequence, { ...other, rank: members[r]! }, { ...at, rank });
  return new Error(`rank ${rank} waited ${patience} s in ${callWords(at, at.sequence)}, where all others are too`);
}

const differs = (a: Header, b: Header): boolean =>
  a.call !== b.call || a.type !== b.type || a.count !== b.count || a.shape !== b.shape;

/** Begins to tell all members what this one is about to do; what it returns waits for theirs and throws when they differ. */
export function exchangeHeaders(world: OpenMpi, group: Communicator, at: Whereabouts): () => void {
  const { mpi } = world;
  const { members, me } = group;
  const size = 4;
  const all = pin(new Float64Array(size * members.length));
  all.set([at.call, at.type, at.count, at.shape], size * me);
  const request = mpi.room();
  const { f64 } = mpi.types;
  mpi.call.MPI_Iallgather(mpi.inPlace, size, f64, all, size, f64, group.handle, request);
  return () => {
    waitFor(world, group, { requests: [request], keep: all }, at);
    const side = (r: number) => {
      const [call, type, count, shape] = all.subarray(size * r) as unknown as [number, number, number, number];
      return { rank: members[r]!, call, type, count, shape };
    };
    for (let r = 1; r < members.length; r++)
      if (differs(side(r), side(0))) throw outOfStep(at.sequence, side(r), side(0));
  };
}
