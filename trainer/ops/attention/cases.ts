import type { OpCase } from '../case.ts';
import { attention, cachedAttention, cacheShapes } from './op.ts';

interface Shape {
  batch: number;
  length: number;
  heads: number;
  groups: number;
  size: number;
}

const of = (name: string, s: Shape, start: (i: number) => number = () => 0, scale = 1): OpCase => ({
  name,
  inputs: {
    q: { shape: [s.batch * s.length, s.heads * s.size], scale },
    k: { shape: [s.batch * s.length, s.groups * s.size], scale },
    v: { shape: [s.batch * s.length, s.groups * s.size] },
    starts: { shape: [s.batch * s.length], whole: (i) => start(i % s.length) },
  },
  call: (t) => attention({ q: t['q']!, k: t['k']!, v: t['v']!, starts: t['starts']! }, s),
});

/** Rows as (slot, position). */
const cached = (name: string, places: [number, number][], s: Omit<Shape, 'batch'>): OpCase => {
  const rows = places.length;
  const shapes = cacheShapes(1 + Math.max(...places.map(([slot]) => slot)), s.length, s);
  return {
    name,
    inputs: {
      keys: { shape: shapes.keys },
      values: { shape: shapes.values },
      q: { shape: [rows, s.heads * s.size] },
      k: { shape: [rows, s.groups * s.size] },
      v: { shape: [rows, s.groups * s.size] },
      slots: { shape: [rows], whole: (i) => places[i]![0] },
      positions: { shape: [rows], whole: (i) => places[i]![1] },
    },
    call: ({ keys, values, q, k, v, slots, positions }) =>
      cachedAttention({ keys: keys!, values: values!, q: q!, k: k!, v: v!, slots: slots!, positions: positions! }, s),
  };
};

export const cases: OpCase[] = [
  of('one token sees itself', { batch: 1, length: 1, heads: 1, groups: 1, size: 2 }),
  of('shorter than a vector', { batch: 2, length: 7, heads: 2, groups: 1, size: 6 }),
  of('one block', { batch: 1, length: 64, heads: 2, groups: 2, size: 16 }),
  of('one past a block, three heads a group', { batch: 2, length: 65, heads: 3, groups: 1, size: 10 }),
  of('several blocks', { batch: 1, length: 193, heads: 1, groups: 1, size: 16 }),
  of('documents that begin anywhere', { batch: 2, length: 150, heads: 2, groups: 1, size: 6 }, (i) =>
    i < 5 ? 0 : i < 70 ? 5 : i < 71 ? 70 : i < 149 ? 71 : 149,
  ),
  of('a document that begins inside a block', { batch: 1, length: 200, heads: 1, groups: 1, size: 6 }, (i) =>
    i < 130 ? 0 : 130,
  ),
  of('every token a document', { batch: 1, length: 70, heads: 1, groups: 1, size: 16 }, (i) => i),
  // scores of a hundred: a float32 of that size is known to 1e-5 only, and so is its exponential
  { ...of('sharp scores', { batch: 1, length: 80, heads: 2, groups: 2, size: 16 }, () => 0, 6), tolerance: 2e-5 },
  cached('cached, the first token', [[0, 0]], { length: 9, heads: 2, groups: 1, size: 6 }),
  cached(
    'cached, a chunk in the middle',
    [40, 41, 42, 43, 44].map((at) => [0, at]),
    { length: 50, heads: 4, groups: 2, size: 20 },
  ),
  cached(
    'cached, three sequences of different lengths',
    [
      [2, 130],
      [0, 63],
      [1, 0],
      [2, 131],
      [0, 64],
    ],
    { length: 140, heads: 3, groups: 1, size: 16 },
  ),
];
