/**
 * What every home of the collectives must do, as data: each case is run by all ranks of a world, each of which knows what the
 * others bring and so computes the expected numbers by itself, in plain JavaScript, in the order of `treeOrder`.
 */
import { type Floats, type Group, treeOrder, type World } from '../../../trainer/collectives/group.ts';

/** Places of numbers: in what `reserve` gave, or in this process's own memory. */
type Place = 'reserved' | 'own' | 'mixed';

interface Case {
  name: string;
  /** Groups that the world is cut into before the call; the world itself where there are none. Null: not for so many ranks. */
  groups?: (ranks: number) => number[][] | null;
  run: (group: Group, make: Make) => string | undefined;
}
type Make = (count: number, place: Place, type?: 'f32' | 'f64') => Floats;

/** Numbers of very different sizes, so that another order of sums gives other bits. */
const VALUES = Float64Array.from({ length: 8192 }, (_, i) => Math.sin(i * 12.9898) * 10 ** ((i * 7) % 9));

/** What member r brings at place i. */
const value = (r: number, i: number): number => VALUES[(i + r * 977) & 8191]!;

/** Sizes around what the homes treat differently: nothing, one, odd, a cache line, small and staged pieces and their neighbours. */
const SIZES = [0, 1, 3, 17, 1024, 1025, 2048, 2049, 32_769, 65_537, 150_001];
const PLACES: Place[] = ['reserved', 'own', 'mixed'];
const TYPES = ['f32', 'f64'] as const;

const round = (x: Floats): ((v: number) => number) => (x instanceof Float32Array ? Math.fround : (v) => v);
const add = (x: Floats) => (a: number, b: number) => round(x)(a + b);
const greater = (a: number, b: number) => (a > b || a !== a ? a : b);

const fill = (x: Floats, r: number, of = value): Floats => x.forEach((_, i) => (x[i] = of(r, i))) ?? x;

/**
 * The first place where x is not what it should be, to the last bit; any NaN is as good as another. Of many numbers each
 * member looks at its share, so that the table does not grow with the square of the ranks.
 */
function difference(
  group: Group,
  x: Floats,
  expected: (i: number) => number,
  from = 0,
  to = x.length,
): string | undefined {
  const step = to - from > 4096 ? group.ranks : 1;
  for (let i = from + (step === 1 ? 0 : group.rank); i < to; i += step) {
    const e = expected(i);
    if (!Object.is(x[i], e)) return `place ${i} of ${x.length} holds ${x[i]}, not ${e}`;
  }
  return undefined;
}

function sumOf(group: Group, x: Floats, of = value): (i: number) => number {
  const [near, plus] = [round(x), add(x)];
  return (i) => treeOrder(group.ranks, (r) => near(of(r, i)), plus);
}

/** Cuts n places unevenly, some parts empty. */
const edgesOf = (n: number, ranks: number): number[] =>
  Array.from({ length: ranks + 1 }, (_, r) =>
    r === 0 ? 0 : r === ranks ? n : Math.floor((n * (r % 3 === 2 ? r - 1 : r)) / ranks),
  );

const product = <A, B>(a: readonly A[], b: readonly B[]): [A, B][] => a.flatMap((x) => b.map((y): [A, B] => [x, y]));

const reductions: Case[] = product(product(SIZES, PLACES), TYPES).flatMap(([[n, place], type]): Case[] => [
  {
    name: `allReduce of ${n} ${type}, ${place}`,
    run(group, make) {
      const x = fill(make(n, place, type), group.rank);
      group.allReduce(x);
      return difference(group, x, sumOf(group, x));
    },
  },
  {
    name: `allReduce max of ${n} ${type}, ${place}`,
    run(group, make) {
      const x = fill(make(n, place, type), group.rank);
      group.allReduce(x, 'max');
      return difference(group, x, (i) => treeOrder(group.ranks, (r) => round(x)(value(r, i)), greater));
    },
  },
  {
    name: `allGather of ${n} ${type}, ${place}`,
    run(group, make) {
      const x = make(n, place, type);
      const edges = edgesOf(n, group.ranks);
      const owner = (i: number) => edges.findLastIndex((edge) => edge <= i);
      x.forEach((_, i) => (x[i] = owner(i) === group.rank ? value(group.rank, i) : -1));
      group.allGather(x, edges);
      return difference(group, x, (i) => round(x)(value(owner(i), i)));
    },
  },
  {
    name: `broadcast of ${n} ${type}, ${place}`,
    run(group, make) {
      const x = make(n, place, type);
      for (const root of new Set([0, group.ranks >> 1, group.ranks - 1])) {
        fill(x, group.rank);
        group.broadcast(x, root);
        const wrong = difference(group, x, (i) => round(x)(value(root, i)));
        if (wrong) return `from ${root}: ${wrong}`;
      }
      return undefined;
    },
  },
]);

const scatters: Case[] = product(SIZES, PLACES).flatMap(([n, place]): Case[] => [
  {
    name: `reduceScatter of ${n}, ${place}`,
    run(group, make) {
      const x = fill(make(n, place), group.rank) as Float32Array;
      const edges = edgesOf(n, group.ranks);
      group.reduceScatter(x, edges);
      return difference(group, x, sumOf(group, x), edges[group.rank], edges[group.rank + 1]);
    },
  },
  {
    name: `three sums of ${n} begun before the first is ended, ${place}`,
    run(group, make) {
      const all = make(3 * n, place) as Float32Array;
      const parts = [0, 1, 2].map((k) => all.subarray(k * n, (k + 1) * n));
      const of = (k: number) => (r: number, i: number) => value(r, i + 5 * k);
      const edges = edgesOf(n, group.ranks);
      parts.forEach((x, k) => fill(x, group.rank, of(k)));
      const ends = parts.map((x, k) => (k === 1 ? group.startReduceScatter(x, edges) : group.startAllReduce(x)));
      const between = group.sum([group.rank, 1]);
      ends.forEach((end) => end());
      if (between[1] !== group.ranks) return `the sum between gives ${String(between)}`;
      for (const [k, x] of parts.entries()) {
        const [from, to] = k === 1 ? [edges[group.rank], edges[group.rank + 1]] : [0, n];
        const wrong = difference(group, x, sumOf(group, x, of(k)), from, to);
        if (wrong) return `sum ${k}: ${wrong}`;
      }
      return undefined;
    },
  },
]);

const SPECIALS = [Number.NaN, Infinity, -Infinity, 0, -0, 1e38, -1e38, 1e-45, 3];
const special = (r: number, i: number): number => SPECIALS[Math.floor(i / SPECIALS.length ** r) % SPECIALS.length]!;

const others: Case[] = [
  { name: 'barrier', run: (group) => void group.barrier() },
  ...PLACES.flatMap((place): Case[] => [
    {
      name: `NaN, infinities and zeros, ${place}`,
      run(group, make) {
        const x = fill(make(6561, place), group.rank, special);
        const most = fill(make(100, 'own'), group.rank, special);
        group.allReduce(x);
        group.allReduce(most, 'max');
        return (
          difference(group, x, sumOf(group, x, special)) ??
          difference(group, most, (i) => treeOrder(group.ranks, (r) => Math.fround(special(r, i)), greater))
        );
      },
    },
    {
      name: `the same numbers give the same bits twice, ${place}`,
      run(group, make) {
        const [a, b] = [fill(make(30_000, place), group.rank), fill(make(30_000, 'own'), group.rank)];
        group.allReduce(a);
        group.allReduce(b);
        return difference(group, a, (i) => b[i]!);
      },
    },
  ]),
  {
    name: 'sum of a few numbers, in float64',
    run(group) {
      for (const n of [0, 1, 3, 5000, 65_536]) {
        const sums = group.sum(Array.from({ length: n }, (_, i) => value(group.rank, i) / 3));
        const wrong = difference(group, Float64Array.from(sums), (i) =>
          treeOrder(
            group.ranks,
            (r) => value(r, i) / 3,
            (a, b) => a + b,
          ),
        );
        if (wrong || sums.length !== n) return wrong ?? 'another length';
      }
      return undefined;
    },
  },
  {
    name: 'many small calls in a row',
    run(group, make) {
      const x = make(3, 'own');
      for (let k = 0; k < 200; k++) {
        fill(x, group.rank + k);
        group.allReduce(x);
        const wrong = difference(group, x, (i) => treeOrder(group.ranks, (r) => round(x)(value(r + k, i)), add(x)));
        if (wrong) return `call ${k}: ${wrong}`;
      }
      return undefined;
    },
  },
  {
    name: 'messages around the ring, in order, as many as the mailbox holds',
    run(group, make) {
      if (group.ranks === 1) return undefined;
      const [next, before] = [(group.rank + 1) % group.ranks, (group.rank + group.ranks - 1) % group.ranks];
      for (let lap = 0; lap < 5; lap++) {
        for (let k = 0; k < 4; k++) group.send(fill(make(k * 300, 'own'), group.rank + k) as Float32Array, next);
        for (let k = 0; k < 4; k++) {
          const x = make(k * 300, 'own') as Float32Array;
          group.receive(x, before);
          const wrong = difference(group, x, (i) => Math.fround(value(before + k, i)));
          if (wrong) return `message ${k}: ${wrong}`;
        }
      }
      return undefined;
    },
  },
  {
    name: 'a full mailbox makes the sender wait, and loses nothing',
    run(group, make) {
      if (group.ranks === 1) return undefined;
      const x = make(1000, 'own') as Float32Array;
      if (group.rank === 0) for (let k = 0; k < 50; k++) group.send(fill(x, k) as Float32Array, group.ranks - 1);
      if (group.rank === group.ranks - 1) {
        for (let k = 0; k < 50; k++) {
          group.receive(x, 0);
          const wrong = difference(group, x, (i) => Math.fround(value(k, i)));
          if (wrong) return `message ${k}: ${wrong}`;
        }
      }
      group.barrier();
      return undefined;
    },
  },
  {
    name: 'what is sent may be changed at once',
    run(group, make) {
      if (group.ranks < 2) return undefined;
      const x = make(500, 'own') as Float32Array;
      if (group.rank === 0) {
        group.send(fill(x, 1) as Float32Array, 1);
        x.fill(0);
      }
      if (group.rank === 1) group.receive(x, 0);
      group.barrier();
      return group.rank === 1 ? difference(group, x, (i) => Math.fround(value(1, i))) : undefined;
    },
  },
];

/** Ways to cut a world; the calls inside are the same. */
const CUTS: Record<string, (ranks: number) => number[][] | null> = {
  halves: (n) => (n % 2 ? null : [range(0, n / 2), range(n / 2, n)]),
  'evens and odds': (n) => (n < 2 ? null : [range(0, n).filter((r) => r % 2 === 0), range(0, n).filter((r) => r % 2)]),
  'each alone': (n) => range(0, n).map((r) => [r]),
  backwards: (n) => [range(0, n).toReversed()],
  'one and the rest': (n) => (n < 3 ? null : [[n - 1], range(0, n - 1)]),
};
const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

const inGroups: Case[] = product(Object.entries(CUTS), [
  ...reductions.filter(({ name }) => /of (1|1025|32769) f32, (reserved|own)/.test(name)),
  ...scatters.filter(({ name }) => /of 1025, (reserved|own)/.test(name)),
  ...others.filter(({ name }) => /messages|sum of/.test(name)),
]).map(([[cut, groups], inner]) => ({ ...inner, name: `${inner.name}, ${cut}`, groups }));

export const CASES: readonly Case[] = [...others, ...reductions, ...scatters, ...inGroups];

/** Most floats of a message in the table. */
export const MAILBOX = { floats: 2000, depth: 4 };

/** Runs the table on a world; returns what is wrong, a line a case. */
export function conform(world: World): { ran: number; wrong: string[] } {
  const { buffer, byteOffset } = world.reserve(RESERVED);
  let at = 0;
  const make: Make = (count, place, type = 'f32') => {
    const Type = type === 'f32' ? Float32Array : Float64Array;
    // Mixed: some members bring numbers that the others can reach, some do not.
    if (place === 'own' || (place === 'mixed' && world.rank % 2 === 1)) return new Type(count);
    const bytes = Math.ceil((count * Type.BYTES_PER_ELEMENT) / 64) * 64;
    if (at + bytes > RESERVED) at = 0;
    at += bytes;
    return new Type(buffer as ArrayBuffer, byteOffset + at - bytes, count).fill(0);
  };
  const wrong: string[] = [];
  let ran = 0;
  const cuts = new Map<unknown, Group>();
  for (const { name, groups, run } of CASES) {
    const cut = groups ? groups(world.ranks) : undefined;
    if (cut === null) continue;
    let group: Group = world;
    if (cut) {
      // A group is made once: there may be a few hundred.
      group = cuts.get(groups) ?? world.split(cut);
      cuts.set(groups, group);
    }
    ran++;
    const what = run(group, make);
    if (what) wrong.push(`${name}: ${what}`);
  }
  // Groups of groups, and as many as a large mesh has.
  for (let i = 0; i < 50 && world.ranks > 1; i++) {
    const all = range(0, world.ranks);
    const inner = world.split([all.toReversed()]).split(all.map((r) => [r]));
    if (inner.ranks !== 1 || inner.members[0] !== world.rank) wrong.push('groups of groups');
  }
  world.barrier();
  return { ran, wrong };
}

const RESERVED = 8 * 2 ** 20;
