import { expect, test } from 'vitest';
import { flopsPerToken, recomputed } from '../../../trainer/plan/flops.ts';
import { findModel, MODELS } from '../../../trainer/plan/models.ts';
import { FAMILIES, parametersOf } from '../../../trainer/plan/shape.ts';
import { configOfDepth } from '../../../trainer/model/config.ts';
import { flopsPerToken as trainerFlops, parametersOf as trainerParameters } from '../../../trainer/model/size.ts';

test.each([
  ['gpt2-124m', 124_439_808],
  ['gpt2-350m', 354_823_168],
  ['gpt2-774m', 774_030_080],
  ['gpt2-1558m', 1_557_611_200],
  ['smollm2-135m', 134_515_008],
  ['qwen2.5-0.5b', 494_032_768],
  ['qwen3-0.6b', 596_049_920],
  ['tinyllama-1.1b', 1_100_048_384],
  ['llama3.2-1b', 1_235_814_400],
  ['llama2-7b', 6_738_415_616],
  ['llama3.1-8b', 8_030_261_248],
  ['llama3.1-70b', 70_553_706_496],
  ['llama3.1-405b', 405_853_388_800],
  ['nanochat-d20', 560_988_160],
  ['nanochat-d32', 1_879_048_192],
  ['nanochat-d34', 2_217_082_880],
])('%s has %i parameters', (name, parameters) => {
  expect(parametersOf(findModel(name))).toBe(parameters);
});

test.each([
  ['llama-65b', 65.2e9],
  ['llama2-70b', 68.98e9],
  ['gpt3-175b', 174.6e9],
  ['palm-540b', 540e9],
  ['bloom-176b', 176.247e9],
  ['megatron-1.7b', 1.7e9],
  ['megatron-39b', 39.1e9],
  ['megatron-310b', 310.1e9],
  ['megatron-1t', 1008e9],
  ['smollm2-1.7b', 1.711e9],
  ['qwen2.5-7b', 7.616e9],
  ['qwen3-32b', 32.76e9],
  ['mistral-7b', 7.242e9],
])('%s has about %d parameters', (name, about) => {
  const n = parametersOf(findModel(name));
  expect(Math.abs(n / about - 1)).toBeLessThan(0.03);
});

test('names are unique, sizes are positive, heads divide, and the name of a model says its size', () => {
  expect(new Set(MODELS.map((m) => m.name)).size).toBe(MODELS.length);
  for (const m of MODELS) {
    expect([m.name, m.heads % m.keyValueHeads]).toEqual([m.name, 0]);
    const [, digits, unit] = /-(\d+(?:\.\d+)?)([mbt])$/.exec(m.name) ?? [];
    if (digits === undefined) continue;
    const said = Number(digits) * { m: 1e6, b: 1e9, t: 1e12 }[unit as 'm' | 'b' | 't'];
    expect([m.name, Math.abs(parametersOf(m) / said - 1) < 0.25]).toEqual([m.name, true]);
  }
});

test.each([
  ['Llama-2-7b-hf', 'llama2-7b'],
  ['meta-llama/Llama-3.1-8B', 'llama3.1-8b'],
  ['GPT2', 'gpt2-124m'],
  ['Qwen/Qwen2.5-0.5B', 'qwen2.5-0.5b'],
  ['llama_7b', 'llama-7b'],
])('%s means %s', (name, model) => expect(findModel(name).name).toBe(model));

test.each([
  ['lama-7b', 'did you mean "llama-7b"?'],
  ['llama-7', 'did you mean "llama-7b"?'],
  ['constructor', 'known are'],
  ['__proto__', 'known are'],
  ['', 'known are'],
])('an unknown model "%s" is met with: %s', (name, hint) => {
  let error: { hint?: string; fault?: number } = {};
  try {
    findModel(name);
  } catch (caught) {
    error = caught as typeof error;
  }
  expect(error.fault).toBe(2);
  expect(error.hint).toContain(hint);
});

test('a shape counts as the trainer’s own model does', () => {
  const config = configOfDepth(6, { vocabulary: 1000, context: 128, keyValueHeads: 2 });
  const shape = { ...FAMILIES.llama, positions: 0, ...config, tied: config.tiedEmbeddings };
  expect(parametersOf(shape)).toBe(trainerParameters(config));
  expect(flopsPerToken(shape, 128)).toBe(trainerFlops(config, 128));
});

test('Megatron’s form of the FLOPs of a step is ours, with and without recomputation', () => {
  const m = findModel('megatron-175b');
  const [B, T, L, C, V] = [1536, 2048, m.layers, m.width, m.vocabulary];
  const ours = B * T * flopsPerToken(m, T);
  expect(ours / (72 * B * T * L * C ** 2 * (1 + T / (6 * C) + V / (12 * L * C)))).toBeCloseTo(1, 10);
  const again = ours * (1 + recomputed(m, T, 'full'));
  expect(again / (96 * B * T * L * C ** 2 * (1 + T / (6 * C) + V / (16 * L * C)))).toBeCloseTo(1, 10);
});

test('nanochat’s own count: 3.49 GFLOP a token at d20, 12.08 at d32', () => {
  expect(flopsPerToken(findModel('nanochat-d20'), 2048) / 1e9).toBeCloseTo(3.49, 2);
  expect(flopsPerToken(findModel('nanochat-d32'), 2048) / 1e9).toBeCloseTo(12.08, 2);
});
