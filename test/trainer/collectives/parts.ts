import { createRequire } from 'node:module';
import type { World } from '../../../trainer/collectives/group.ts';

const koffi = createRequire(import.meta.url)('koffi') as { address(view: Uint8Array, type: string): bigint };

/** What the ranks of a test do; each rank runs the same program and looks at its number. */
export const PARTS: Record<string, (world: World) => unknown> = {
  /** Nothing but meeting. */
  meet: (world) => world.barrier(),
  /** Sums for ever, now from the mapping and now from elsewhere; who kills one of us wants to know how the others end. */
  sumForever(world) {
    const { buffer, byteOffset } = world.reserve(4_000_000);
    const x = new Float32Array(buffer, byteOffset, 1_000_000);
    const elsewhere = new Float32Array(300_000);
    for (let k = 0; ; k++) {
      world.allReduce(k % 3 ? x : elsewhere);
      world.sum([1, 2, 3]);
      if (k === 3) say('summing');
    }
  },
  /** Rank 1 works for ever at the third call. */
  stayAway(world) {
    world.barrier();
    world.allReduce(new Float32Array(10));
    if (world.rank === 1) for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000);
    world.allReduce(new Float32Array(10));
  },
  /** The last rank has no more to do and leaves. */
  leaveEarly(world) {
    world.barrier();
    if (world.rank === world.ranks - 1) return 'left';
    world.barrier();
    return 'stayed';
  },
  dieInTheMiddle(world) {
    for (let k = 0; ; k++) {
      world.allReduce(new Float32Array(100_000));
      if (k === 20 && world.rank === 1) process.kill(process.pid, 'SIGKILL');
    }
  },
  /** The last rank throws after telling the others. */
  giveUp(world) {
    world.barrier();
    if (world.rank === world.ranks - 1) {
      world.abort();
      throw new Error('the disk is full');
    }
    world.barrier();
    return undefined;
  },
  /** Different calls at the same place of the program. */
  wrongCall(world) {
    world.barrier();
    if (world.rank === 1) world.broadcast(new Float32Array(64), 0);
    else world.allReduce(new Float32Array(128));
  },
  wrongCount(world) {
    const { buffer, byteOffset } = world.reserve(1_000_000);
    world.allReduce(new Float32Array(buffer, byteOffset, world.rank === 1 ? 100_000 : 100_001));
  },
  wrongType: (world) => world.allReduce(world.rank === 1 ? new Float32Array(9) : new Float64Array(9)),
  wrongRoot: (world) => world.broadcast(new Float32Array(9), world.rank === 1 ? 1 : 0),
  wrongEdges: (world) => world.reduceScatter(new Float32Array(9), world.rank === 1 ? [0, 1, 9] : [0, 2, 9]),
  wrongSplit: (world) => void world.split(world.rank === 1 ? [[0, 1]] : [[0], [1]]),
  wrongMessage(world) {
    if (world.rank === 0) world.send(new Float32Array(10), 1);
    if (world.rank === 1) world.receive(new Float32Array(11), 0);
    world.barrier();
  },
  wrongGroupOfMessage(world) {
    const group = world.split([[0, 1]]);
    if (world.rank === 0) world.send(new Float32Array(10), 1);
    if (world.rank === 1) group.receive(new Float32Array(10), 0);
    world.barrier();
  },
  /** What a caller may not ask for is refused before anybody waits. */
  refusals(world) {
    const refused = (what: () => unknown) => {
      try {
        what();
        return 'nothing';
      } catch (error) {
        return String(error);
      }
    };
    const x = new Float32Array(8);
    const { buffer, byteOffset } = world.reserve(1000);
    const memory = new Uint8Array(buffer, byteOffset, 1000);
    const zeroed = memory.every((byte) => byte === 0) && koffi.address(memory, 'void *') % 64n === 0n;
    const ends: (() => void)[] = [];
    const answers = [
      refused(() => world.reduceScatter(x, [0, 9, 9])),
      refused(() => world.allGather(x, [0, 5, 3, 8].slice(0, world.ranks + 1))),
      refused(() => world.broadcast(x, world.ranks)),
      refused(() => world.send(x, world.rank)),
      refused(() => world.send(new Float32Array(2001), (world.rank + 1) % world.ranks)),
      refused(() => world.sum(Array.from({ length: 65_537 }, () => 0))),
      refused(() => world.split([[0], [0, 1]])),
      refused(() => world.reserve(1000)),
      refused(() => {
        for (let i = 0; i < 100; i++) ends.push(world.startAllReduce(x));
      }),
    ];
    for (const end of ends) end();
    const open = ends.length;
    answers.push(refused(() => ends[0]!()));
    world.barrier();
    world.close();
    answers.push(refused(() => world.barrier()));
    return { zeroed, answers, open };
  },
  /** More than any machine has. */
  tooMuch(world) {
    world.barrier();
    if (world.rank === 1) world.reserve(2 ** 46);
    world.barrier();
  },
  /** Rank 1 comes 0.3 s late: who waited knows how long. */
  late(world) {
    world.barrier();
    const before = world.waited();
    if (world.rank === 1) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
    world.barrier();
    return world.waited() - before;
  },
};

/** Twelve steps, rank 2 slower at its own work than the others; then rank 1 stays away from a sum, as rank 2 does from a message. */
PARTS['flight'] = (world) => {
  const nap = (ms: number) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
  const halves = world.split([[0, 1], [2]]);
  for (let step = 1; step <= 12; step++) {
    const started = performance.now();
    nap(world.rank === 2 ? 60 : 15);
    for (let k = 0; k < 10; k++) world.allReduce(new Float64Array(7));
    world.note(step, (performance.now() - started) / 1000);
  }
  if (halves.rank === 0 && world.rank === 0) halves.barrier();
  if (world.rank === 1) halves.barrier();
  if (world.rank === 1) nap(60_000);
  if (world.rank === 0) world.receive(new Float32Array(5), 2);
  world.broadcast(new Float32Array(9), 2);
};

const say = (text: string) => void process.stderr.write(`${text}\n`);
