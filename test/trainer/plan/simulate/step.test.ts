import { describe, expect, test } from 'vitest';
import { findGpu } from '../../../../trainer/plan/gpus.ts';
import type { Layout } from '../../../../trainer/plan/memory.ts';
import { findModel } from '../../../../trainer/plan/models.ts';
import { layersOfChunks } from '../../../../trainer/plan/simulate/chunks.ts';
import { simulateStep, type SimulatedStep } from '../../../../trainer/plan/simulate/step.ts';
import { slowestOfStages } from '../../../../trainer/plan/simulate/stragglers.ts';

const layout: Layout = {
  mesh: { data: 4, tensor: 8, pipeline: 8, context: 1 },
  zero: 1,
  microBatch: 1,
  microBatches: 32,
  sequence: 2048,
  recompute: 'none',
  attention: 'flash',
  precision: 'bf16',
  chunks: 1,
  sequenceParallel: true,
};
// A vocabulary of one word: all stages are alike but for a lookup.
const shape = { ...findModel('megatron-175b'), vocabulary: 8, tied: false };
const step: SimulatedStep = { shape, gpu: findGpu('h100'), layout, schedule: '1f1b', overlapTensor: false, seed: 1 };
const withLayout = (more: Partial<Layout>, rest: Partial<SimulatedStep> = {}) =>
  simulateStep({ ...step, ...rest, layout: { ...layout, ...more } });

describe('a step', () => {
  test('its parts add up, and none is negative', () => {
    for (const data of [1, 4, 64])
      for (const zero of [0, 1, 3] as const) {
        const { seconds, breakdown, mfu } = withLayout({ zero, mesh: { ...layout.mesh, data } });
        const parts = Object.values(breakdown);
        expect(parts.reduce((sum, part) => sum + part, 0)).toBeCloseTo(seconds, 9);
        expect(Math.min(...parts)).toBeGreaterThanOrEqual(-1e-9);
        expect(mfu).toBeCloseTo(breakdown.model / seconds, 12);
      }
  });

  test.each([
    { schedule: '1f1b', chunks: 1, bubble: 7 / 32 },
    { schedule: 'gpipe', chunks: 1, bubble: 7 / 32 },
    { schedule: 'interleaved', chunks: 3, bubble: 7 / 96 },
    { schedule: 'interleaved', chunks: 12, bubble: 7 / 384 },
  ] as const)(
    '$schedule, $chunks chunks: idle is (p − 1)/(v · m), and messages on top',
    ({ schedule, chunks, bubble }) => {
      const { breakdown, seconds } = withLayout({ chunks }, { schedule, spread: 0 });
      const busy = seconds - breakdown.pipeline - breakdown.data - breakdown.optimizer;
      expect(breakdown.pipeline / busy).toBeGreaterThan(bubble * 0.99);
      expect(breakdown.pipeline / busy).toBeLessThan(bubble + 0.035);
    },
  );

  test('zero-bubble idles less than 1F1B', () => {
    const idle = (schedule: 'zb-h1' | '1f1b') => withLayout({}, { schedule, spread: 0 }).breakdown.pipeline;
    expect(idle('zb-h1')).toBeLessThan(0.75 * idle('1f1b'));
  });

  test('more GPUs have a slower slowest one; none where all are alike', () => {
    const lost = (data: number, spread: number) => {
      const { breakdown, seconds } = withLayout({ mesh: { ...layout.mesh, data } }, { spread });
      return breakdown.stragglers / seconds;
    };
    expect(lost(64, 0)).toBeCloseTo(0, 9);
    expect(lost(64, 0.02)).toBeGreaterThan(lost(1, 0.02));
    expect(lost(64, 0.02)).toBeLessThan(0.1);
  });

  test('overlapped tensor collectives cost less, recomputation costs a forward', () => {
    const plain = withLayout({});
    expect(withLayout({}, { overlapTensor: true }).breakdown.tensor).toBeLessThan(0.6 * plain.breakdown.tensor);
    const kernels = ({ breakdown }: typeof plain) => breakdown.model + breakdown.kernels;
    const again = kernels(withLayout({ recompute: 'full' })) / kernels(plain);
    expect(again).toBeGreaterThan(1.25);
    expect(again).toBeLessThan(1.37);
  });

  test('gradients that nothing hides show with few micro-batches on many replicas', () => {
    const data = (replicas: number, microBatches: number) => {
      const mesh = { ...layout.mesh, data: replicas };
      const { breakdown, seconds } = withLayout({ mesh, microBatches });
      return breakdown.data / seconds;
    };
    expect(data(1, 8)).toBe(0);
    expect(data(64, 8)).toBeGreaterThan(3 * data(64, 64));
  });

  test('a schedule that does not fit is refused', () => {
    expect(() => withLayout({ microBatches: 12, chunks: 2 }, { schedule: 'interleaved' })).toThrow('12 ≠ 1.5 × 8');
  });
});

test('layers that do not divide leave the ends light', () => {
  const llama3 = layersOfChunks(126, 128);
  expect([llama3[0], llama3[1], llama3[126], llama3[127]]).toEqual([0, 1, 1, 0]);
  expect(layersOfChunks(10, 4)).toEqual([2, 3, 3, 2]);
  expect(layersOfChunks(8, 4)).toEqual([2, 2, 2, 2]);
  expect(layersOfChunks(9, 4)).toEqual([2, 3, 2, 2]);
});

test('stragglers are drawn for every GPU, the same for a seed; the slowest of a group counts', () => {
  const mesh = { data: 128, tensor: 8, pipeline: 16, context: 1 };
  const factors = slowestOfStages(mesh, 0.02, 3).flatMap((own) => [...own]);
  expect(factors).toHaveLength(128 * 16);
  expect(slowestOfStages(mesh, 0.02, 3).flatMap((own) => [...own])).toEqual(factors);
  // The greatest of 8 normal numbers lies 1.42 deviations above the mean.
  expect(Math.log(factors.reduce((sum, f) => sum + f, 0) / factors.length)).toBeCloseTo(1.42 * 0.02, 3);
  expect(Math.max(...factors)).toBeLessThan(1.12);
});
