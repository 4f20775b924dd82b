import { aloneGroup } from '../alone.ts';
import type { Floats, Group } from '../group.ts';
import { CALLS, type Call, checkEdges, checkMember, edgesDigest, groupOf } from '../words.ts';
import {
  type Communicator,
  exchangeHeaders,
  isDone,
  LETTER,
  type OpenMpi,
  type Pending,
  pin,
  waitFor,
  waitUntil,
  type Whereabouts,
} from './exchange.ts';
import {
  allGatherSteps,
  allReduceSteps,
  barrierSteps,
  broadcastSteps,
  reduceScatterSteps,
  type Steps,
} from './steps.ts';

/** Most numbers of `sum`. */
const MOST_NUMBERS = 65_536;
const NOTHING = new Float32Array(0);

/** A group over a communicator of MPI; `id` is the same on all its members, for the flight recorder. */
export function openMpiGroup(world: OpenMpi, group: Communicator, id: number): Group {
  const { mpi } = world;
  const { me, members } = group;
  const ranks = members.length;
  let sequence = 0;

  const start = (name: Call, x: Floats, shape: number, steps: Steps) => {
    if (!world.isOpen()) throw new Error('the world is closed');
    const type = x instanceof Float64Array ? 1 : 0;
    const at: Whereabouts = { sequence: ++sequence, call: CALLS.indexOf(name), type, count: x.length, shape };
    const done = world.recorder?.begin({ group: id, ...at, peer: -1 }, members);
    const compare = world.check ? exchangeHeaders(world, group, at) : undefined;
    // Without headers the numbers are on their way at once.
    let step = compare ? undefined : steps.next();
    let ended = false;
    return () => {
      if (ended) throw new Error(`${name} #${at.sequence} has ended already`);
      if (!world.isOpen()) throw new Error('the world is closed');
      ended = true;
      compare?.();
      step ??= steps.next();
      for (; !step.done; step = steps.next()) waitFor(world, group, step.value, at);
      done?.();
    };
  };
  const whole = (name: Call, x: Floats, shape: number, steps: Steps) => start(name, x, shape, steps)();
  const digestOf = (x: Floats, edges: readonly number[]): number => {
    checkEdges(edges, ranks, x.length);
    return edgesDigest(edges);
  };

  const letters = { sent: members.map(() => 0), received: members.map(() => 0) };
  /** What has been sent to each member and may still be under way, with the copy that MPI reads. */
  const underway = members.map((): Pending[] => []);
  const checkMessage = (x: Float32Array, member: number) => {
    if (!world.isOpen()) throw new Error('the world is closed');
    checkMember(member, ranks, me);
    if (x.length > world.mailbox.floats)
      throw new RangeError(`a message of ${x.length} floats: the mailbox holds ${world.mailbox.floats}`);
  };
  const beginMessage = (name: 'send' | 'receive', number: number, count: number, member: number) => {
    const at = { sequence: number, call: CALLS.indexOf(name), type: 0, count, shape: member };
    return { at, done: world.recorder?.begin({ group: id, ...at, peer: members[member]! }, members) };
  };

  const self: Group = {
    rank: me,
    ranks,
    members,
    barrier: () => whole('barrier', NOTHING, 0, barrierSteps(world, group)),
    allReduce: (x, how = 'sum') =>
      whole(how === 'max' ? 'allReduce max' : 'allReduce', x, 0, allReduceSteps(world, group, x, how === 'max')),
    startAllReduce: (x) => start('startAllReduce', x, 0, allReduceSteps(world, group, x, false)),
    reduceScatter: (x, edges) =>
      whole('reduceScatter', x, digestOf(x, edges), reduceScatterSteps(world, group, x, edges)),
    startReduceScatter: (x, edges) =>
      start('startReduceScatter', x, digestOf(x, edges), reduceScatterSteps(world, group, x, edges)),
    allGather: (x, edges) => whole('allGather', x, digestOf(x, edges), allGatherSteps(world, group, x, edges)),
    broadcast(x, root) {
      checkMember(root, ranks);
      whole('broadcast', x, root, broadcastSteps(world, group, x, root));
    },
    send(x, to) {
      checkMessage(x, to);
      const { at, done } = beginMessage('send', ++letters.sent[to]!, x.length, to);
      const queue = underway[to]!;
      while (queue.length > 0 && isDone(world, queue[0]!.requests[0]!)) queue.shift();
      if (queue.length >= world.mailbox.depth) {
        waitUntil(world, group, () => isDone(world, queue[0]!.requests[0]!), at, to);
        queue.shift();
      }
      const copy = pin(x.slice());
      const request = mpi.room();
      mpi.call.MPI_Isend(copy, copy.length, mpi.types.f32, to, LETTER, group.handle, request);
      queue.push({ requests: [request], keep: copy });
      done?.();
    },
    receive(x, from) {
      checkMessage(x, from);
      const { at, done } = beginMessage('receive', ++letters.received[from]!, x.length, from);
      const count = probe(world, group, from, at);
      if (count !== x.length)
        throw new Error(
          `rank ${world.rank} expects ${x.length} f32, and message #${at.sequence} from rank ${members[from]} brings ${count}`,
        );
      mpi.call.MPI_Recv(x, count, mpi.types.f32, from, LETTER, group.handle, mpi.ignore);
      done?.();
    },
    sum(values) {
      if (values.length > MOST_NUMBERS) throw new RangeError(`${values.length} numbers: at most ${MOST_NUMBERS}`);
      const sums = Float64Array.from(values);
      self.allReduce(sums);
      return [...sums];
    },
    split(cut) {
      const mine = groupOf(cut, ranks, me);
      const digests = new Float64Array(ranks);
      digests[me] = edgesDigest(cut.flatMap((g) => [...g, -1]));
      self.allReduce(digests);
      const other = digests.findIndex((digest) => digest !== digests[0]);
      if (other > 0) throw new Error(`ranks ${members[0]} and ${members[other]} split their group into different ones`);
      const handle = mpi.room();
      mpi.call.MPI_Comm_split(group.handle, mine, cut[mine]!.indexOf(me), handle);
      const places = cut[mine]!.map((member) => members[member]!);
      if (places.length === 1) return aloneGroup(world.rank);
      const part = { handle: handle[0]!, me: cut[mine]!.indexOf(me), members: places };
      return openMpiGroup(world, part, edgesDigest([id, sequence, mine]));
    },
  };
  return self;
}

/** Waits for the next message from a member; returns its floats. */
function probe(world: OpenMpi, group: Communicator, from: number, at: Whereabouts): number {
  const { call, types } = world.mpi;
  const [there, count, status] = [new Int32Array(1), new Int32Array(1), new BigInt64Array(16)];
  const arrived = () => {
    call.MPI_Iprobe(from, LETTER, group.handle, there, status);
    return there[0] !== 0;
  };
  waitUntil(world, group, arrived, at, from);
  call.MPI_Get_count(status, types.f32, count);
  return count[0]!;
}
