import type { OpCase } from '../case.ts';
import { crossEntropy, crossEntropyJoin, crossEntropyPart } from './op.ts';

const of = (name: string, rows: number, vocabulary: number, target: (i: number) => number, scale = 1): OpCase => ({
  name,
  inputs: { logits: { shape: [rows, vocabulary], scale }, targets: { shape: [rows], whole: target } },
  call: ({ logits, targets }) => crossEntropy({ logits: logits!, targets: targets! }),
});

const inParts = (
  name: string,
  rows: number,
  vocabulary: number,
  first: number,
  target: (i: number) => number,
): OpCase => ({
  name,
  inputs: { logits: { shape: [rows, vocabulary] }, targets: { shape: [rows], whole: target } },
  call: ({ logits, targets }) => {
    const { sums } = crossEntropyPart({ logits: logits!, targets: targets! }, { first });
    return crossEntropyJoin({ sums, logits: logits!, targets: targets! }, { first });
  },
});

export const cases: OpCase[] = [
  of('one of one', 1, 1, () => 0),
  of('a vocabulary of 65', 33, 65, (i) => (i * 7) % 65),
  of('every third is ignored', 31, 257, (i) => (i % 3 === 0 ? -1 : i)),
  of('all are ignored', 4, 16, () => -1),
  of('equal logits', 5, 33, (i) => i, 0),
  of('large logits', 7, 64, (i) => i * 9, 1e4),
  inParts('one part of one', 9, 65, 0, (i) => (i % 4 === 0 ? -1 : (i * 7) % 65)),
];
