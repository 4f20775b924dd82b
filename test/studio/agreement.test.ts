import { expect, test } from 'vitest';
import { krippendorff, wilson } from '../../studio/rank/agreement.ts';

/** Krippendorff 2011, Computing Krippendorff's Alpha-Reliability, example C: four observers, twelve units, values missing. */
const OBSERVERS = [
  [1, 2, 3, 3, 2, 1, 4, 1, 2, null, null, null],
  [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, null, 3],
  [null, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, null],
  [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, null],
];
const units = OBSERVERS[0]!.map((_, i) => OBSERVERS.map((o) => o[i]!).filter((v) => v !== null));

test('α of the published example: .743 nominal, .815 ordinal, over eleven units and forty values', () => {
  const nominal = krippendorff(units, 'nominal');
  expect(nominal.alpha).toBeCloseTo(0.743, 3);
  expect(nominal).toMatchObject({ units: 11, values: 40 });
  expect(krippendorff(units, 'ordinal').alpha).toBeCloseTo(0.815, 3);
});

test('two observers, nominal: his example of binary data gives .095', () => {
  const a = [0, 1, 0, 0, 0, 0, 0, 0, 1, 0];
  const b = [1, 1, 1, 0, 0, 1, 0, 0, 0, 0];
  expect(
    krippendorff(
      a.map((x, i) => [x, b[i]!]),
      'nominal',
    ).alpha,
  ).toBeCloseTo(0.095, 3);
});

test.each([
  {
    why: 'all agree',
    units: [
      [1, 1],
      [2, 2],
    ],
    alpha: 1,
  },
  { why: 'nothing to compare', units: [[1], [2], []], alpha: null },
  {
    why: 'one value throughout',
    units: [
      [1, 1],
      [1, 1],
    ],
    alpha: null,
  },
  {
    why: 'all disagree: below chance',
    units: [
      [1, 2],
      [2, 1],
    ],
    alpha: -0.5,
  },
])('$why → $alpha', ({ units: given, alpha }) => {
  expect(krippendorff(given, 'nominal').alpha).toBe(alpha);
});

test('a share has Wilson’s interval: 8 of 10 is .49 to .94, none of 5 begins at 0', () => {
  const eight = wilson(8, 10);
  expect([eight.low!.toFixed(3), eight.high!.toFixed(3)]).toEqual(['0.490', '0.943']);
  expect(wilson(0, 5)).toMatchObject({ share: 0, low: 0 });
  expect(wilson(0, 0)).toEqual({ share: null, low: null, high: null, n: 0 });
});
