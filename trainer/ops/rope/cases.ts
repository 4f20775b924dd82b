import type { OpCase } from '../case.ts';
import { rope } from './op.ts';
import { fillTable } from './reference.ts';

function of(name: string, rows: number, heads: number, size: number, position: (i: number) => number): OpCase {
  const table = new Float64Array(64 * size);
  fillTable(table, 64, size, 10000);
  return {
    name,
    inputs: {
      x: { shape: [rows, heads * size] },
      table: { shape: [64, size], fixed: (i) => table[i]! },
      positions: { shape: [rows], whole: position },
    },
    call: (t) => rope({ x: t['x']!, table: t['table']!, positions: t['positions']! }, { size }),
  };
}

export const cases: OpCase[] = [
  of('position 0 turns nothing', 1, 1, 2, () => 0),
  of('heads of 6', 7, 3, 6, (i) => i),
  of('positions begin again', 65, 2, 32, (i) => i % 33),
];
