import type { OpCase } from '../case.ts';
import { add } from './op.ts';

const of = (name: string, rows: number, width: number): OpCase => ({
  name,
  inputs: { a: { shape: [rows, width] }, b: { shape: [rows, width] } },
  call: ({ a, b }) => add({ a: a!, b: b! }),
});

export const cases: OpCase[] = [
  of('one number', 1, 1),
  of('ragged', 7, 33),
  {
    name: 'twice the same tensor, and once more: gradients add up',
    inputs: { a: { shape: [3, 5] } },
    call: ({ a }) => add({ a: add({ a: a!, b: a! }).y, b: a! }),
  },
];
