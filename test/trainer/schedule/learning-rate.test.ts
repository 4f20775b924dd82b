import { expect, test } from 'vitest';
import { learningRateAt, type RateSchedule } from '../../../trainer/schedule/learning-rate.ts';

const base = { peak: 1, warmup: 10, end: 0.1, decay: 0.2, steps: 111 };

const tables: [string, Partial<RateSchedule>, [step: number, rate: number][]][] = [
  [
    'warm-up is (step + 1) / warmup of the peak',
    {},
    [
      [0, 0.1],
      [4, 0.5],
      [9, 1],
    ],
  ],
  [
    'cosine: the peak after the warm-up, the middle, the end',
    {},
    [
      [10, 1],
      [35, 0.1 + 0.45 * (1 + Math.SQRT1_2)],
      [60, 0.55],
      [110, 0.1],
    ],
  ],
  [
    'cosine without warm-up',
    { warmup: 0, end: 0 },
    [
      [0, 1],
      [55, 0.5],
      [110, 0],
    ],
  ],
  [
    'linear',
    { kind: 'linear' },
    [
      [10, 1],
      [60, 0.55],
      [85, 0.325],
      [110, 0.1],
    ],
  ],
  [
    'linear to zero',
    { kind: 'linear', end: 0 },
    [
      [10, 1],
      [60, 0.5],
      [110, 0],
    ],
  ],
  [
    'wsd keeps the peak until a fifth is left, then falls as 1 − √',
    { kind: 'wsd', steps: 100, end: 0 },
    [
      [10, 1],
      [79, 1],
      [80, 1],
      [99, 0],
    ],
  ],
  [
    'wsd: a quarter of the way down takes half of the fall',
    { kind: 'wsd', steps: 105, decay: 0.2, end: 0, warmup: 0 },
    [
      [84, 1],
      [89, 0.5],
      [104, 0],
    ],
  ],
  [
    'constant',
    { kind: 'constant' },
    [
      [10, 1],
      [110, 1],
    ],
  ],
  ['a single step', { steps: 1, warmup: 0 }, [[0, 0.1]]],
  ['a single step of warm-up', { steps: 1, warmup: 1 }, [[0, 1]]],
  [
    'all warm-up',
    { steps: 10 },
    [
      [0, 0.1],
      [9, 1],
    ],
  ],
];

test.each(tables)('%s', (_name, over, rows) => {
  const p: RateSchedule = { kind: 'cosine', ...base, ...over };
  for (const [step, rate] of rows) expect([step, learningRateAt(step, p)]).toEqual([step, expect.closeTo(rate, 12)]);
});

test.each(['cosine', 'wsd', 'linear'] as const)(
  '%s never rises after the warm-up and stays within its bounds',
  (kind) => {
    const p: RateSchedule = { kind, ...base, peak: 3e-4, steps: 500 };
    let before = Infinity;
    for (let step = 10; step < 500; step++) {
      const rate = learningRateAt(step, p);
      expect(rate).toBeLessThanOrEqual(before);
      expect(rate).toBeGreaterThanOrEqual(3e-5 - 1e-18);
      before = rate;
    }
  },
);
