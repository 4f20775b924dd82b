import { expect, test } from 'vitest';
import { checkConfig, configOfDepth, type ModelConfig } from '../../../trainer/model/config.ts';
import { initialise } from '../../../trainer/model/initialise.ts';
import { fillNormal, philox } from '../../../trainer/model/philox.ts';
import { flopsPerToken, parametersOf } from '../../../trainer/model/size.ts';
import { weightsOf } from '../../../trainer/model/weights.ts';

const shape = (
  layers: number,
  width: number,
  heads: number,
  keyValueHeads: number,
  feedForward: number,
  vocabulary: number,
  tiedEmbeddings: boolean,
  headSize = width / heads,
): ModelConfig => ({
  ...configOfDepth(layers, { vocabulary, context: 2048 }),
  width,
  heads,
  keyValueHeads,
  headSize,
  feedForward,
  tiedEmbeddings,
});

test.each([
  ['SmolLM2-135M', shape(30, 576, 9, 3, 1536, 49152, true), 134_515_008],
  ['TinyLlama 1.1B', shape(22, 2048, 32, 4, 5632, 32000, false), 1_100_048_384],
  ['Llama 3.2 1B', shape(16, 2048, 32, 8, 8192, 128256, true), 1_235_814_400],
  ['Llama 2 7B', shape(32, 4096, 32, 32, 11008, 32000, false), 6_738_415_616],
  ['Llama 3.1 405B', shape(126, 16384, 128, 8, 53248, 128256, false), 405_853_388_800],
])('%s has its published number of parameters', (_, config, parameters) => {
  expect(parametersOf(config)).toBe(parameters);
});

test('FLOPs a token: 6 N + 12 L H Q T, the head once, lookups and norms not', () => {
  const tied = shape(2, 64, 2, 1, 96, 100, true);
  const matrices = 2 * (64 * 64 * 2 + 2 * 64 * 32 + 3 * 64 * 96);
  expect(flopsPerToken(tied, 10)).toBe(6 * (matrices + 100 * 64) + 12 * 2 * 64 * 10);
  expect(flopsPerToken({ ...tied, tiedEmbeddings: false }, 10)).toBe(flopsPerToken(tied, 10));
});

test.each([1, 2, 4, 7, 20])('depth %i gives a shape that can be built', (depth) => {
  const config = configOfDepth(depth, { vocabulary: 512, context: 64 });
  expect(() => checkConfig(config)).not.toThrow();
  expect(config).toMatchObject({ layers: depth, width: 64 * depth, headSize: 64, heads: depth });
  expect(config.feedForward % 64).toBe(0);
});

test('a shape that cannot be built is refused in words', () => {
  const good = configOfDepth(2, { vocabulary: 10, context: 8 });
  expect(() => checkConfig({ ...good, width: 0 })).toThrow(/width is 0/);
  expect(() => checkConfig({ ...good, headSize: 5 })).toThrow(/even/);
  expect(() => checkConfig({ ...good, layers: 1.5 })).toThrow(/layers is 1.5/);
});

test('names are those of Hugging Face; what decays comes first, and norms do not decay', () => {
  const specs = weightsOf(shape(2, 64, 2, 1, 96, 100, false));
  const names = specs.map((s) => s.name);
  expect(names).toContain('model.layers.1.self_attn.k_proj.weight');
  expect(names).toContain('model.layers.0.post_attention_layernorm.weight');
  expect(names).toContain('lm_head.weight');
  expect(specs.find((s) => s.name.endsWith('0.mlp.down_proj.weight'))!.shape).toEqual([64, 96]);
  const decays = specs.map((s) => s.decay);
  expect(decays).toEqual(decays.toSorted((a, b) => Number(b) - Number(a)));
  expect(specs.filter((s) => !s.decay).every((s) => s.shape.length === 1)).toBe(true);
  expect(weightsOf(shape(2, 64, 2, 1, 96, 100, true)).map((s) => s.name)).not.toContain('lm_head.weight');
});

test('philox gives the words that its authors published', () => {
  const words = new Uint32Array(4);
  philox([0, 0, 0, 0], [0, 0], words);
  expect([...words].map((w) => w.toString(16))).toEqual(['6627e8d5', 'e169c58d', 'bc57ac4c', '9b00dbd8']);
  philox([-1, -1, -1, -1], [-1, -1], words);
  expect([...words].map((w) => w.toString(16))).toEqual(['408f276d', '41c83b0e', 'a20bc7c6', '6d5451fd']);
  philox([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0], words);
  expect([...words].map((w) => w.toString(16))).toEqual(['d16cfe09', '94fdcceb', '5001e420', '24126ea1']);
});

test('initial weights: deviations, seeds, streams', () => {
  const config = shape(8, 128, 4, 4, 256, 500, true);
  const fill = (seed: number) => {
    const weights = new Map(
      weightsOf(config).map((s) => [s.name, new Float32Array(s.shape.reduce((n, d) => n * d, 1))]),
    );
    initialise(config, seed, (name) => weights.get(name)!);
    return weights;
  };
  const weights = fill(1);
  const deviation = (name: string) => {
    const w = weights.get(name)!;
    return Math.sqrt(w.reduce((s, x) => s + x * x, 0) / w.length);
  };
  expect(deviation('model.layers.3.self_attn.q_proj.weight')).toBeCloseTo(0.02, 3);
  expect(deviation('model.layers.3.mlp.down_proj.weight')).toBeCloseTo(0.02 / 4, 4);
  expect(weights.get('model.norm.weight')!.every((x) => x === 1)).toBe(true);
  const [q0, q1] = [0, 1].map((l) => weights.get(`model.layers.${l}.self_attn.q_proj.weight`)!);
  expect(q0).not.toEqual(q1);
  expect(fill(1).get('model.embed_tokens.weight')).toEqual(weights.get('model.embed_tokens.weight'));
  expect(fill(2).get('model.embed_tokens.weight')).not.toEqual(weights.get('model.embed_tokens.weight'));
  const short = new Float32Array(7);
  const long = new Float32Array(16);
  fillNormal(short, 1, 3, 4);
  fillNormal(long, 1, 3, 4);
  expect([...short]).toEqual([...long.subarray(0, 7)]);
});
