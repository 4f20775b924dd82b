import type { OpCase } from '../case.ts';
import { crossEntropy, crossEntropyJoin, crossEntropyPart } from './op.ts';

/** Of both signs, 0 among them. */
const scaleOf = (i: number) => 1 - (i % 5) / 2;

const of = (name: string, rows: number, vocabulary: number, target: (i: number) => number, scale = 1): OpCase => ({
  name,
  inputs: {
    logits: { shape: [rows, vocabulary], scale },
    targets: { shape: [rows], whole: target },
    scales: { shape: [rows], fixed: scaleOf },
  },
  call: ({ logits, targets, scales }) => crossEntropy({ logits: logits!, targets: targets!, scales: scales! }),
});

const inParts = (
  name: string,
  rows: number,
  vocabulary: number,
  first: number,
  target: (i: number) => number,
): OpCase => ({
  name,
  inputs: {
    logits: { shape: [rows, vocabulary] },
    targets: { shape: [rows], whole: target },
    scales: { shape: [rows], fixed: scaleOf },
  },
  call: ({ logits, targets, scales }) => {
    const { sums } = crossEntropyPart({ logits: logits!, targets: targets! }, { first });
    return crossEntropyJoin({ sums, logits: logits!, targets: targets!, scales: scales! }, { first });
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
