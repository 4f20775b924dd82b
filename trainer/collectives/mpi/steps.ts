import type { Floats } from '../group.ts';
import { reduceLists } from '../reduce.ts';
import { type Communicator, type OpenMpi, type Pending, pin } from './exchange.ts';

/**
 * What a collective does, as a generator: it begins something, yields what must be waited for, and goes on. So the same
 * steps serve calls that wait and calls that are begun now and ended later.
 *
 * MPI's own reductions add in an order that depends on the size and the algorithm, so sums are made here: every member gets
 * the others' numbers of its part, adds them by the tree, and gives the sums to all. That moves as many bytes as a ring.
 */
export type Steps = Generator<Pending, void, undefined>;

/** Up to here every member gets all numbers and adds for itself: one round [bytes]. */
const SMALL = 16_384;

const typeOf = (world: OpenMpi, x: Floats) => (x instanceof Float64Array ? world.mpi.types.f64 : world.mpi.types.f32);
const scratchFor = (x: Floats, count: number): Floats =>
  x instanceof Float64Array ? new Float64Array(count) : new Float32Array(count);
const clamp = (i: number, from: number, to: number): number => Math.min(Math.max(i, from), to);

/** Edges within from … to, as places from `from` on. */
const within = (edges: readonly number[], from: number, to: number): number[] =>
  edges.map((edge) => clamp(edge, from, to) - from);

const widths = (edges: readonly number[]): Int32Array =>
  pin(Int32Array.from({ length: edges.length - 1 }, (_, r) => edges[r + 1]! - edges[r]!));
const starts = (edges: readonly number[]): Int32Array => pin(Int32Array.from(edges.slice(0, -1)));

/** Pieces from … to of n elements. */
function* pieces(n: number, most: number): Generator<[number, number]> {
  for (let from = 0; from < n; from += most) yield [from, Math.min(n, from + most)];
}

export function* allReduceSteps(world: OpenMpi, group: Communicator, x: Floats, max: boolean): Steps {
  if (x.byteLength <= SMALL) return yield* smallSteps(world, group, x, max);
  const n = group.members.length;
  for (const [from, to] of pieces(x.length, world.piece)) {
    const slice = Math.ceil((to - from) / n / 16) * 16;
    const edges = Array.from({ length: n + 1 }, (_, r) => Math.min(to - from, r * slice));
    const part = x.subarray(from, to);
    yield* scatterPiece(world, group, part, edges, max);
    yield gatherPiece(world, group, part, edges);
  }
}

function* smallSteps(world: OpenMpi, group: Communicator, x: Floats, max: boolean): Steps {
  const { mpi } = world;
  const [n, count, type] = [group.members.length, x.length, typeOf(world, x)];
  if (count === 0) return;
  const all = pin(scratchFor(x, n * count));
  all.set(x, group.me * count);
  const request = mpi.room();
  mpi.call.MPI_Iallgather(mpi.inPlace, count, type, all, count, type, group.handle, request);
  yield { requests: [request], keep: all };
  reduceLists(all, count, n, group.me, x, max);
}

export function* reduceScatterSteps(world: OpenMpi, group: Communicator, x: Floats, edges: readonly number[]): Steps {
  for (const [from, to] of pieces(x.length, world.piece))
    yield* scatterPiece(world, group, x.subarray(from, to), within(edges, from, to), false);
}

/** Member r gets the sums of x[edges[r] … edges[r + 1]). */
function* scatterPiece(world: OpenMpi, group: Communicator, x: Floats, edges: readonly number[], max: boolean): Steps {
  const { mpi } = world;
  const n = group.members.length;
  const own = x.subarray(edges[group.me], edges[group.me + 1]);
  const scratch = pin(scratchFor(x, n * own.length));
  const [sends, sendsFrom] = [widths(edges), starts(edges)];
  sends[group.me] = 0;
  const receives = pin(new Int32Array(n).fill(own.length));
  receives[group.me] = 0;
  const receivesTo = pin(Int32Array.from({ length: n }, (_, r) => r * own.length));
  const request = mpi.room();
  const type = typeOf(world, x);
  pin(x);
  mpi.call.MPI_Ialltoallv(x, sends, sendsFrom, type, scratch, receives, receivesTo, type, group.handle, request);
  yield { requests: [request], keep: [x, sends, sendsFrom, scratch, receives, receivesTo] };
  reduceLists(scratch, own.length, n, group.me, own, max);
}

export function* allGatherSteps(world: OpenMpi, group: Communicator, x: Floats, edges: readonly number[]): Steps {
  for (const [from, to] of pieces(x.length, 64 * world.piece))
    yield gatherPiece(world, group, x.subarray(from, to), within(edges, from, to));
}

function gatherPiece(world: OpenMpi, group: Communicator, x: Floats, edges: readonly number[]): Pending {
  const { mpi } = world;
  const [counts, places, type, request] = [widths(edges), starts(edges), typeOf(world, x), mpi.room()];
  pin(x);
  mpi.call.MPI_Iallgatherv(mpi.inPlace, 0, type, x, counts, places, type, group.handle, request);
  return { requests: [request], keep: [x, counts, places] };
}

export function* broadcastSteps(world: OpenMpi, group: Communicator, x: Floats, root: number): Steps {
  const { mpi } = world;
  for (const [from, to] of pieces(x.length, 64 * world.piece)) {
    const request = mpi.room();
    const part = pin(x.subarray(from, to));
    mpi.call.MPI_Ibcast(part, part.length, typeOf(world, x), root, group.handle, request);
    yield { requests: [request], keep: part };
  }
}

export function* barrierSteps({ mpi }: OpenMpi, group: Communicator): Steps {
  const request = mpi.room();
  mpi.call.MPI_Ibarrier(group.handle, request);
  yield { requests: [request], keep: null };
}
