import type { OpCase } from '../case.ts';
import { rmsnorm } from './op.ts';

const of = (name: string, rows: number, width: number, scale = 1): OpCase => ({
  name,
  inputs: { x: { shape: [rows, width], scale }, gamma: { shape: [width] } },
  call: ({ x, gamma }) => rmsnorm({ x: x!, gamma: gamma! }, { epsilon: 1e-5 }),
});

export const cases: OpCase[] = [
  of('one row', 1, 8),
  of('C not a multiple of the vector width', 3, 13),
  of('tiny values: epsilon decides', 2, 64, 1e-4),
  of('large values', 7, 33, 1e4),
  of('more columns than threads share', 31, 257),
];
