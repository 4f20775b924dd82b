import type { OpCase } from '../case.ts';
import { linear } from './op.ts';

const of = (name: string, rows: number, out: number, width: number): OpCase => ({
  name: `${name}: ${rows} × ${out} × ${width}`,
  inputs: { x: { shape: [rows, width] }, w: { shape: [out, width] } },
  call: ({ x, w }) => linear({ x: x!, w: w! }),
});

export const cases: OpCase[] = [
  of('one of each', 1, 1, 1),
  of('a few rows stream the weights', 3, 33, 31),
  of('edges on all sides', 7, 65, 31),
  of('one tile of AVX-512', 12, 32, 64),
  of('one column past a tile', 25, 33, 7),
  of('half a tile wide', 24, 48, 65),
  of('sums longer than a block', 13, 17, 801),
  of('rows beyond a block', 301, 20, 33),
];
