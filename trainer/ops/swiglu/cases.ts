import type { OpCase } from '../case.ts';
import { swiglu } from './op.ts';

const of = (name: string, rows: number, width: number, scale = 1): OpCase => ({
  name,
  inputs: { gate: { shape: [rows, width], scale }, up: { shape: [rows, width] } },
  call: ({ gate, up }) => swiglu({ gate: gate!, up: up! }),
});

export const cases: OpCase[] = [
  of('one number', 1, 1),
  of('not a multiple of the vector width', 3, 31),
  of('gates far on both sides', 5, 64, 40),
  of('several cache lines a thread', 33, 65),
];
