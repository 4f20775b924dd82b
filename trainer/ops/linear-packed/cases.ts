import type { OpCase } from '../case.ts';
import { linearPacked, packedShape } from './op.ts';

const of = (name: string, rows: number, out: number, width: number): OpCase => ({
  name,
  inputs: { x: { shape: [rows, width] }, w: { shape: packedShape([out, width]) } },
  call: ({ x, w }) => linearPacked({ x: x!, w: w! }, { out }),
});

export const cases: OpCase[] = [
  of('one row, one number', 1, 1, 1),
  of('one row, a panel and a bit', 1, 65, 33),
  of('two rows, part of a vector', 2, 7, 20),
  of('a tile and one row, whole panels', 7, 128, 64),
  of('many rows, odd everything', 23, 200, 51),
];
