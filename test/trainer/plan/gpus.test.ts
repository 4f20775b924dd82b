import { expect, test } from 'vitest';
import { defaultEfficiency } from '../../../trainer/plan/efficiency.ts';
import { findGpu, GPUS, peakOf } from '../../../trainer/plan/gpus.ts';

test.each([
  ['a100', 312e12, 80e9, 400],
  ['a100-40gb', 312e12, 40e9, 400],
  ['h100', 989.4e12, 80e9, 700],
  ['h100-96gb', 989.4e12, 96e9, 500],
  ['h200', 989.4e12, 141e9, 700],
  ['b200', 2250e12, 180e9, 1000],
  ['v100', 125e12, 32e9, 300],
  ['tpu-v4', 275e12, 34.4e9, 192],
  ['rtx4090', 165e12, 24e9, 450],
])('%s: %d FLOP/s, %d bytes, %i W', (name, peak, memory, power) => {
  const gpu = findGpu(name);
  expect(peakOf(gpu, 'bf16')).toBeCloseTo(peak, -9);
  expect([gpu.memory, gpu.power]).toEqual([memory, power]);
});

test.each([
  ['A100-80GB', 'a100'],
  ['H100 SXM', 'h100'],
  ['4090', 'rtx4090'],
  ['RTX_5090', 'rtx5090'],
  ['TPUv4', 'tpu-v4'],
])('%s means %s', (name, gpu) => expect(findGpu(name).name).toBe(gpu));

test.each(['a1000x', '', 'constructor', '__proto__'])('no GPU is called "%s"', (name) => {
  expect(() => findGpu(name)).toThrow(/--gpu: no GPU is called/);
});

test('names are unique, and every chip has a price with its source, a peak and an MFU to expect', () => {
  expect(new Set(GPUS.map((g) => g.name)).size).toBe(GPUS.length);
  for (const gpu of GPUS) {
    expect([gpu.name, gpu.priceSource.length > 0, gpu.price > 0, gpu.power > 0]).toEqual([gpu.name, true, true, true]);
    for (const [precision, peak] of Object.entries(gpu.peak)) {
      expect(peak).toBeGreaterThan(0);
      for (const parameters of [1e8, 2e9, 8e9, 15e9, 1e12]) {
        const { mfu, source } = defaultEfficiency(gpu, precision as 'bf16', parameters, 8);
        expect([gpu.name, precision, mfu > 0.1 && mfu < 0.8, source.length > 0]).toEqual([
          gpu.name,
          precision,
          true,
          true,
        ]);
      }
    }
  }
});
