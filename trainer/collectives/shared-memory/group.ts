import { GarnerError } from '../../../core/errors.ts';
import type { Call } from '../../../core/native/load.ts';
import { aloneGroup } from '../alone.ts';
import { type Floats, type Group, RankLost } from '../group.ts';
import type { Recorder } from '../recorder/record.ts';
import { CALLS, type Call as CallName, checkEdges, checkMember, edgesDigest, groupOf, outOfStep } from '../words.ts';
import { ANSWERS, DEPTH, WHY, type worldLibrary } from './library.ts';
import { MOST_GROUPS } from './memory.ts';

/** What the groups of an open world share. */
export interface OpenWorld {
  c: ReturnType<typeof worldLibrary>;
  /** Of the C side. */
  address: bigint;
  rank: number;
  patience: number;
  /** Most floats of a message. */
  floats: number;
  isOpen(): boolean;
  recorder: Recorder | null;
}

/** Most numbers of `sum`. */
const MOST_NUMBERS = 65_536;
/** In place of numbers, where a call has none: C never follows it. */
const NOTHING = new Float32Array(32);

/** A group over shared memory; `id` is its block, `members` are ranks of the world. */
export function openGroup(world: OpenWorld, id: number, members: readonly number[]): Group {
  const { c, address, rank } = world;
  const me = members.indexOf(rank);
  const ranks = members.length;
  const group = c.group_open(address, id, Int32Array.from(members), ranks, me) as bigint | null;
  if (!group) throw noMemory();
  const report = new BigInt64Array(10);

  /** Messages so far to and from each member. */
  const messages = { send: members.map(() => 0), receive: members.map(() => 0) };
  const check = (answer: number | bigint, different: () => Error): void => {
    switch (Number(answer)) {
      case ANSWERS.fine:
        return;
      case ANSWERS.lost:
        throw lost(report, world.patience);
      case ANSWERS.tooMany:
        throw new RangeError(`more than ${DEPTH} collectives of a group are open`);
      case ANSWERS.noMemory:
        throw noMemory();
      default:
        throw different();
    }
  };
  const stayOpen = () => {
    if (!world.isOpen()) throw new Error('the world is closed');
  };

  const begin = (name: CallName, x: Floats, shape: number) => {
    const call = CALLS.indexOf(name);
    const count = name === 'barrier' ? 0 : x.length;
    stayOpen();
    const type = x instanceof Float64Array ? 1 : 0;
    check(c.collective_begin(group, call, type, x, count, shape, report), () => mismatch(report, 0));
    const sequence = Number(report[0]);
    const done = world.recorder?.begin({ group: id, sequence, call, type, count, peer: -1 }, members);
    return { sequence, done };
  };
  const end = ({ sequence, done }: ReturnType<typeof begin>, x: Floats, edges: readonly number[] | null) => {
    stayOpen();
    const places = edges && BigInt64Array.from(edges, BigInt);
    check(c.collective_end(group, sequence, x, places, report), () => mismatch(report, sequence));
    done?.();
  };
  const whole = (name: CallName, x: Floats, shape = 0, edges: readonly number[] | null = null) =>
    end(begin(name, x, shape), x, edges);
  const start = (name: CallName, x: Floats, shape = 0, edges: readonly number[] | null = null) => {
    const begun = begin(name, x, shape);
    let ended = false;
    return () => {
      if (ended) throw new Error(`${name} #${begun.sequence} has ended already`);
      ended = true;
      end(begun, x, edges);
    };
  };
  const withEdges = (x: Floats, edges: readonly number[]): [number, readonly number[]] => {
    checkEdges(edges, ranks, x.length);
    return [edgesDigest(edges), edges];
  };
  const mail = (name: 'send' | 'receive', call: Call, x: Float32Array, member: number) => {
    stayOpen();
    checkMember(member, ranks, me);
    if (x.length > world.floats)
      throw new RangeError(`a message of ${x.length} floats: the mailbox holds ${world.floats}`);
    const peer = members[member]!;
    const sequence = ++messages[name][member]!;
    const begun = { group: id, sequence, call: CALLS.indexOf(name), type: 0, count: x.length, peer };
    const done = world.recorder?.begin(begun, members);
    check(call(group, member, x, x.length, report), () => wrongMessage(report, rank, x.length, peer));
    done?.();
  };
  const sum = (values: readonly number[]): number[] => {
    if (values.length > MOST_NUMBERS) throw new RangeError(`${values.length} numbers: at most ${MOST_NUMBERS}`);
    const sums = Float64Array.from(values);
    whole('allReduce', sums);
    return [...sums];
  };

  return {
    rank: me,
    ranks,
    members,
    barrier: () => whole('barrier', NOTHING),
    allReduce: (x, how = 'sum') => whole(how === 'max' ? 'allReduce max' : 'allReduce', x),
    startAllReduce: (x) => start('startAllReduce', x),
    reduceScatter: (x, edges) => whole('reduceScatter', x, ...withEdges(x, edges)),
    startReduceScatter: (x, edges) => start('startReduceScatter', x, ...withEdges(x, edges)),
    allGather: (x, edges) => whole('allGather', x, ...withEdges(x, edges)),
    broadcast(x, root) {
      checkMember(root, ranks);
      whole('broadcast', x, root);
    },
    send: (x, to) => mail('send', c.mail_send, x, to),
    receive: (x, from) => mail('receive', c.mail_receive, x, from),
    sum,
    split(groups) {
      const mine = groupOf(groups, ranks, me);
      // The first member numbers the new groups for all; the others say what they were given, so that a difference is seen.
      const digest = edgesDigest(groups.flatMap((g) => [...g, -1]));
      const said = new Float64Array(2 * ranks);
      const first = me === 0 ? Number(c.group_number(address, groups.length)) : 0;
      said.set([digest, first], 2 * me);
      whole('allReduce', said);
      for (let r = 1; r < ranks; r++)
        if (said[2 * r] !== said[0])
          throw new Error(`ranks ${members[0]} and ${members[r]} split their group into different ones`);
      if (said[1]! < 0) throw new RangeError(`more than ${MOST_GROUPS} groups`);
      const places = groups[mine]!.map((member) => members[member]!);
      return places.length === 1 ? aloneGroup(rank) : openGroup(world, said[1]! + mine, places);
    },
  };
}

const noMemory = () =>
  new GarnerError({
    what: 'no memory is left for the ranks to share',
    hint: 'train with fewer ranks or a smaller model',
  });

function lost(report: BigInt64Array, patience: number): RankLost {
  const [rank, why, call, sequence] = [...report].map(Number) as [number, number, number, number];
  const at = `${CALLS[call] ?? 'a call'} #${sequence}`;
  switch (why) {
    case WHY.ended:
      return new RankLost(rank, 'ended');
    case WHY.late:
      return new RankLost(rank, `did not come to ${at}: another waited ${patience} s for it`);
    case WHY.left:
      return new RankLost(rank, `left before ${at}`);
    default:
      return new RankLost(rank, 'gave up');
  }
}

function wrongMessage(report: BigInt64Array, receiver: number, asked: number, sender: number): Error {
  const [number, count, sent, expected] = [...report].map(Number);
  return new Error(
    `rank ${receiver} expects ${asked} f32, and message #${number} from rank ${sender} brings ${count}${sent === expected ? '' : ', sent in another group'}`,
  );
}

/** Two headers of one call differ. */
function mismatch(report: BigInt64Array, sequence: number): Error {
  const n = [...report].map(Number);
  const side = (at: number) => ({
    rank: n[at]!,
    call: n[at + 1]!,
    type: n[at + 2]!,
    count: n[at + 3]!,
    shape: n[at + 4]!,
  });
  return outOfStep(sequence, side(0), side(5));
}
