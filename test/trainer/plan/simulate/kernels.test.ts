import { expect, test } from 'vitest';
import { findGpu } from '../../../../trainer/plan/gpus.ts';
import { flashTime, matrixAttentionTime, passTime, productTime } from '../../../../trainer/plan/simulate/kernels.ts';

const h100 = findGpu('h100');
const a100 = findGpu('a100');

/** TFLOP/s of a product. */
const rate = (gpu: typeof h100, [m, k, n]: [number, number, number]) =>
  (2 * m * k * n) / productTime(gpu, [m, k, n]) / 1e12;

test.each([
  { gpu: 'a100', size: 8192, least: 240, most: 285 },
  { gpu: 'h100', size: 8192, least: 620, most: 715 },
  { gpu: 'h100', size: 1024, least: 100, most: 450 },
  { gpu: 'h100', size: 128, least: 0.1, most: 5 },
])('$gpu multiplies squares of $size at $least to $most TFLOP/s', ({ gpu, size, least, most }) => {
  const found = rate(findGpu(gpu), [size, size, size]);
  expect(found).toBeGreaterThan(least);
  expect(found).toBeLessThan(most);
});

test('132 tiles fill an H100 once, a few more cost most of a second wave', () => {
  const full = productTime(h100, [256 * 12, 4096, 128 * 11]);
  const more = productTime(h100, [256 * 12 + 1, 4096, 128 * 11]);
  expect(more / full).toBeGreaterThan(1.4);
});

test('no product is faster than the peak, the memory or a launch', () => {
  for (const gpu of [h100, a100, findGpu('rtx4090'), findGpu('v100')])
    for (const m of [1, 7, 64, 1000, 4096, 33_333])
      for (const k of [1, 128, 5000, 16_384])
        for (const n of [1, 100, 2048, 50_257]) {
          const time = productTime(gpu, [m, k, n]);
          expect(time).toBeGreaterThanOrEqual((2 * m * k * n) / gpu.peak.bf16!);
          expect(time).toBeGreaterThanOrEqual((2 * (m * k + k * n + m * n)) / gpu.bandwidth);
          expect(time).toBeGreaterThanOrEqual(3e-6);
        }
});

test('fp8 is faster than bf16, and fp32 slower', () => {
  const size = [8192, 8192, 8192] as const;
  const [fp8, bf16, fp32] = (['fp8', 'bf16', 'fp32'] as const).map((precision) =>
    productTime(h100, size, { precision }),
  );
  expect(bf16! / fp8!).toBeGreaterThan(1.7);
  expect(fp32! / bf16!).toBeGreaterThan(10);
});

test('flash attention grows with the square of the row, a kept matrix is slower', () => {
  const work = { heads: 12, headSize: 128, rows: 1, queries: 2048, keys: 2048, precision: 'bf16' } as const;
  const long = { ...work, queries: 8192, keys: 8192 };
  expect(flashTime(a100, long).forward / flashTime(a100, work).forward).toBeCloseTo(16, 1);
  expect(matrixAttentionTime(a100, work, true).forward).toBeGreaterThan(3 * flashTime(a100, work).forward);
  expect(matrixAttentionTime(a100, work, true).backward).toBeGreaterThan(
    matrixAttentionTime(a100, work, false).backward,
  );
});

test('a pass over memory takes its bytes at the reachable bandwidth', () => {
  expect(passTime(h100, 3.35e9)).toBeCloseTo(1e-3 / 0.92, 6);
  expect(passTime(h100, 10)).toBe(3e-6);
});
