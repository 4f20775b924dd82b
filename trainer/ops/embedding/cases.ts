import type { OpCase } from '../case.ts';
import { embedding, embeddingPart } from './op.ts';

const of = (name: string, rows: number, vocabulary: number, width: number, id: (i: number) => number): OpCase => ({
  name,
  inputs: { table: { shape: [vocabulary, width] }, ids: { shape: [rows], whole: id } },
  call: ({ table, ids }) => embedding({ table: table!, ids: ids! }),
});

export const cases: OpCase[] = [
  of('one row', 1, 3, 8, () => 2),
  of('ids repeat, some never come', 33, 7, 13, (i) => (i * i) % 5),
  of('one id only', 65, 4, 31, () => 0),
  {
    name: 'rows 3 to 7 of a larger table',
    inputs: { table: { shape: [5, 9] }, ids: { shape: [23], whole: (i) => (i * 7) % 12 } },
    call: ({ table, ids }) => embeddingPart({ table: table!, ids: ids! }, { first: 3 }),
  },
];
