import { describe, expect, test } from 'vitest';
import { layerActivations, memoryPerGpu, type Layout } from '../../../trainer/plan/memory.ts';
import { bubble, checkMesh, inFlight, layersOfStages, parsePlanMesh } from '../../../trainer/plan/mesh.ts';
import { findModel } from '../../../trainer/plan/models.ts';

const one = { data: 1, tensor: 1, pipeline: 1, context: 1 };
const layout = (more: Partial<Layout> = {}): Layout => ({
  mesh: one,
  zero: 0,
  microBatch: 1,
  microBatches: 64,
  sequence: 2048,
  recompute: 'none',
  attention: 'flash',
  precision: 'bf16',
  chunks: 1,
  sequenceParallel: true,
  ...more,
});

describe('activations of a layer, as Korthikanti et al. 2022 sum them', () => {
  const gpt = findModel('megatron-22b');
  const [s, b, h, a] = [2048, 4, 6144, 64];
  const matrix = (5 * a * s) / h;
  const of = (tensor: number, more: Partial<Layout>) =>
    layerActivations(gpt, layout({ mesh: { ...one, tensor }, microBatch: b, ...more }));
  test.each([
    ['one GPU, matrix kept', of(1, { attention: 'matrix' }), s * b * h * (34 + matrix)],
    ['tensor 8', of(8, { attention: 'matrix', sequenceParallel: false }), s * b * h * (10 + 24 / 8 + matrix / 8)],
    ['tensor 8, sequence parallel', of(8, { attention: 'matrix' }), ((s * b * h) / 8) * (34 + matrix)],
    ['tensor 8, sequence parallel, no matrix', of(8, {}), (34 * s * b * h) / 8],
    ['full recomputation', of(8, { recompute: 'full', sequenceParallel: false }), 2 * s * b * h],
    ['full recomputation, sequence parallel', of(8, { recompute: 'full' }), (2 * s * b * h) / 8],
  ])('%s', (_, ours, theirs) => expect(ours / theirs).toBeCloseTo(1, 10));
});

test('a Llama layer keeps 4C + 2HQ + 2HkvQ + 3F elements, and 2C + F fewer where norms and SwiGLU are made anew', () => {
  const m = findModel('llama3.1-8b');
  expect(layerActivations(m, layout({ sequence: 1 }))).toBe(2 * 69_632);
  expect(layerActivations(m, layout({ sequence: 1, recompute: 'selective' }))).toBe(2 * 47_104);
  expect(layerActivations(m, layout({ sequence: 8192, mesh: { ...one, context: 4 } }))).toBe(2 * 69_632 * 2048);
});

test('one norm fewer in parallel blocks, a pair of vectors more with normed heads', () => {
  const palm = findModel('palm-8b');
  const apart = layerActivations({ ...palm, parallel: false }, layout()) - layerActivations(palm, layout());
  expect(apart).toBe(2048 * 2 * 2 * palm.width);
  const qwen = findModel('qwen3-0.6b');
  const normed = layerActivations(qwen, layout()) - layerActivations({ ...qwen, headNorm: 'none' }, layout());
  expect(normed).toBe(2048 * 2 * (16 + 8) * 128);
});

test('ZeRO of a model of 7.5B on 64 GPUs: 18N, 6N + 12N/n, 2N + 16N/n, 16N/n', () => {
  const m = findModel('megatron-7.5b');
  const states = (zero: Layout['zero']) => {
    const { weights, gradients, optimizer } = memoryPerGpu(m, layout({ mesh: { ...one, data: 64 }, zero }));
    return (weights + gradients + optimizer) / 7_467_786_240;
  };
  expect(states(0)).toBeCloseTo(18, 6);
  expect(states(1)).toBeCloseTo(6 + 12 / 64, 6);
  expect(states(2)).toBeCloseTo(2 + 16 / 64, 6);
  expect(states(3)).toBeCloseTo(16 / 64, 6);
});

test('every split that adds GPUs takes memory away', () => {
  const m = findModel('llama2-70b');
  const total = (more: Partial<Layout['mesh']>, rest: Partial<Layout> = {}) =>
    memoryPerGpu(m, layout({ mesh: { ...one, ...more }, sequence: 4096, ...rest })).total;
  expect(total({ tensor: 8 })).toBeLessThan(total({}) / 4);
  expect(total({ pipeline: 8 })).toBeLessThan(total({}));
  expect(total({ context: 4 })).toBeLessThan(total({}));
  expect(total({ data: 8 }, { zero: 3 })).toBeLessThan(total({ data: 8 }, { zero: 2 }));
  expect(total({}, { recompute: 'full' })).toBeLessThan(total({}, { recompute: 'selective' }));
  expect(total({}, { precision: 'fp8' })).toBe(total({}));
});

describe('the pipeline', () => {
  test.each([
    ['1F1B, first of 8 stages', inFlight(0, 8, 64), 8],
    ['1F1B, last', inFlight(7, 8, 64), 1],
    ['fewer micro-batches than stages', inFlight(0, 8, 3), 3],
    ['interleaved in 3: p · (1 + (p − 1)/(p · v))', inFlight(0, 35, 280, 3), 35 * (1 + 34 / 105)],
    ['interleaved, few micro-batches', inFlight(0, 8, 2, 2), 2],
  ])('%s', (_, ours, theirs) => expect(ours).toBeCloseTo(theirs, 10));

  test('layers and the idle share', () => {
    expect(layersOfStages(126, 16)).toEqual([...Array<number>(14).fill(8), 7, 7]);
    expect(layersOfStages(12, 4)).toEqual([3, 3, 3, 3]);
    expect(bubble(8, 64)).toBe(7 / 64);
    expect(bubble(8, 64, 2)).toBe(7 / 128);
  });
});

describe('a mesh', () => {
  test('axes that are not named are 1', () => {
    expect(parsePlanMesh('tensor=8, data=128')).toEqual({ data: 128, tensor: 8, pipeline: 1, context: 1 });
  });
  test.each([
    '',
    'data',
    'data=0',
    'data=-1',
    'data=1.5',
    'data=2,data=2',
    'constructor=2',
    'expert=2',
    'data=99999999',
  ])('refuses "%s"', (text) => expect(() => parsePlanMesh(text)).toThrow(/--mesh/));
  const m = findModel('llama-7b');
  test.each([
    ['data=128,tensor=4', 1024, 'data 128 × tensor 4 × pipeline 1 × context 1 = 512, but --gpus is 1024'],
    ['tensor=64', 64, '32 heads in tensor 64 parts'],
    ['pipeline=64', 64, 'pipeline 64 × 1 chunk = 64 pieces of 32 layers'],
    ['context=3', 3, 'rows of 2048 tokens in context 3 parts'],
  ])('%s on %i GPUs: %s', (text, gpus, message) =>
    expect(() => checkMesh(parsePlanMesh(text), gpus, m, 2048, 1)).toThrow(message),
  );
});
