import { expect, test } from 'vitest';
import { permutation } from '../../../trainer/loader/permutation.ts';

const isBijection = (n: number, seed: number, epoch: number): boolean => {
  const order = permutation(n, seed, epoch);
  const seen = new Uint8Array(n);
  for (let i = 0; i < n; i++) {
    const to = order(i);
    if (!(to >= 0 && to < n) || seen[to]) return false;
    seen[to] = 1;
  }
  return true;
};

test('a bijection for every count from 1 to 1,100, and for larger ones around powers of two', () => {
  for (let n = 1; n <= 1100; n++) expect([n, isBijection(n, n * 7919, n % 5)]).toEqual([n, true]);
  for (const n of [2047, 2048, 2049, 4095, 4096, 4097, 16385, 65537, 100_003])
    expect([n, isBijection(n, 5, 1)]).toEqual([n, true]);
});

test('the first position is spread evenly over the domain: χ² of 64 cells over 12,800 seeds', () => {
  const cells = new Float64Array(64);
  for (let seed = 0; seed < 12_800; seed++) cells[Math.floor(permutation(1000, seed, 0)(0) / 15.625)]!++;
  const chi2 = cells.reduce((sum, n) => sum + (n - 200) ** 2 / 200, 0);
  expect(chi2).toBeLessThan(110); // 63 degrees of freedom: 99.98 %
  expect(chi2).toBeGreaterThan(30); // and not too even either: a counter is no permutation
});

test('epochs and neighbours have no fixed relation', () => {
  const n = 4096;
  const [a, b] = [permutation(n, 9, 0), permutation(n, 9, 1)];
  const shifts = new Set<number>();
  let same = 0;
  let rising = 0;
  for (let i = 0; i < n; i++) {
    if (a(i) === b(i)) same++;
    shifts.add((a(i) - b(i) + n) % n);
    if (i > 0 && a(i) > a(i - 1)) rising++;
  }
  expect(same).toBeLessThan(10);
  expect(shifts.size).toBeGreaterThan(n / 2);
  expect(Math.abs(rising / n - 0.5)).toBeLessThan(0.03);
});

test('every bit of the seed matters, above 32 bits too', () => {
  const first = (seed: number) => Array.from({ length: 8 }, (_, i) => permutation(1e6, seed, 0)(i)).join();
  expect(new Set([0, 1, 2 ** 31, 2 ** 32, 2 ** 32 + 1, 2 ** 52].map(first)).size).toBe(6);
});

test('large domains work; positions outside and impossible counts are refused', () => {
  const order = permutation(2 ** 45 + 3, 1, 0);
  for (const i of [0, 1, 2 ** 44, 2 ** 45 + 2]) expect(order(i)).toBeLessThan(2 ** 45 + 3);
  expect(() => permutation(10, 1, 0)(10)).toThrow(/position 10 of 10/);
  expect(() => permutation(0, 1, 0)).toThrow(/permutation of 0/);
});
