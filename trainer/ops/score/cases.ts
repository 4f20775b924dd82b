import type { OpCase } from '../case.ts';
import { linear } from '../linear/op.ts';
import { score } from './op.ts';

const of = (name: string, rows: number, width: number, target: (i: number) => number): OpCase => ({
  name,
  inputs: {
    x: { shape: [rows, width] },
    w: { shape: [1, width] },
    targets: { shape: [rows], whole: target },
    scales: { shape: [rows], fixed: (i) => 1 - (i % 5) / 2 },
  },
  call: ({ x, w, targets, scales }) =>
    score({ y: linear({ x: x!, w: w! }).y, targets: targets!, scales: scales! }, { from: 0, to: rows }),
});

export const cases: OpCase[] = [
  of('one row', 1, 8, () => 0),
  of('every third is read', 33, 17, (i) => (i % 3 === 0 ? 0 : -1)),
  of('none is read', 4, 16, () => -1),
];
