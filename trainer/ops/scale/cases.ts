import type { OpCase } from '../case.ts';
import { add } from '../add/op.ts';
import { scale } from './op.ts';

const of = (name: string, rows: number, width: number, factor: number): OpCase => ({
  name,
  inputs: { x: { shape: [rows, width] } },
  call: ({ x }) => scale({ x: x! }, { factor }),
});

export const cases: OpCase[] = [
  of('one number', 1, 1, 2),
  of('ragged, a factor that is no float', 7, 33, 0.1),
  {
    name: 'used twice: gradients add up',
    inputs: { x: { shape: [5, 9] } },
    call: ({ x }) => add({ a: scale({ x: x! }, { factor: -1.5 }).y, b: scale({ x: x! }, { factor: 4 }).y }),
  },
];
