import type { OpCase } from '../case.ts';
import { crossEntropy } from './op.ts';

const of = (name: string, rows: number, vocabulary: number, target: (i: number) => number, scale = 1): OpCase => ({
  name,
  inputs: { logits: { shape: [rows, vocabulary], scale }, targets: { shape: [rows], whole: target } },
  call: ({ logits, targets }) => crossEntropy({ logits: logits!, targets: targets! }),
});

export const cases: OpCase[] = [
  of('one of one', 1, 1, () => 0),
  of('a vocabulary of 65', 33, 65, (i) => (i * 7) % 65),
  of('every third is ignored', 31, 257, (i) => (i % 3 === 0 ? -1 : i)),
  of('all are ignored', 4, 16, () => -1),
  of('equal logits', 5, 33, (i) => i, 0),
  of('large logits', 7, 64, (i) => i * 9, 1e4),
];
