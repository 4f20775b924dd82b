import { expect, test } from 'vitest';
import { interleave, judged, median, type Figure } from '../../bench/harness.ts';

const figure = (more: Partial<Figure>): Figure => ({
  bench: 'b',
  case: 'c',
  metric: 'm',
  value: 3,
  unit: 'u',
  ...more,
});

test.each([
  { why: 'a value against its bar', more: { bar: '>= 3' }, met: true },
  { why: 'under it', more: { bar: '>= 3.1' }, met: false },
  {
    why: 'the ratio counts where there is one',
    more: { bar: '>= 2', rival: 'r', rivalValue: 2, ratio: 1.5 },
    met: false,
  },
  { why: 'a rival for information: the value counts', more: { bar: '>= 2', rival: 'r', rivalValue: 0.1 }, met: true },
  { why: 'an absent rival: nothing to judge', more: { bar: '>= 2', rival: 'r' }, met: undefined },
  { why: 'no bar', more: {}, met: undefined },
  { why: 'equality', more: { bar: '== 3' }, met: true },
])('$why', ({ more, met }) => {
  expect(judged(figure(more)).met).toBe(met);
});

test('the median of even and odd counts', () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 3, 2])).toBe(2.5);
});

test('runs alternate after one warm-up of each', async () => {
  const order: string[] = [];
  const { a, b } = await interleave(
    2,
    () => order.push('a'),
    () => order.push('b'),
  );
  expect(order.join('')).toBe('ababab');
  expect([a.length, b.length]).toEqual([2, 2]);
});
