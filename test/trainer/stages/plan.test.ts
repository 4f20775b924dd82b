import { expect, test } from 'vitest';
import { parametersOf } from '../../../trainer/model/size.ts';
import { finetuneSection, pretrainSection } from '../../../trainer/recipe.ts';
import { microBatchOf, modelConfig, parallelOf, rateOf, stepsOf } from '../../../trainer/stages/plan.ts';

const model = (over: object = {}) => pretrainSection.parse({ model: over }).model;

test.each([
  [{ depth: 4 }, { layers: 4, width: 256, heads: 4, keyValueHeads: 4, headSize: 64, feedForward: 704 }],
  [{ depth: 1 }, { layers: 1, width: 64, heads: 1, headSize: 64 }],
  [
    { depth: 6, width: 128 },
    { layers: 6, width: 128, heads: 2 },
  ],
  [
    { width: 96, heads: 6, kv_heads: 2, layers: 3 },
    { layers: 3, width: 96, heads: 6, keyValueHeads: 2, headSize: 16 },
  ],
  [
    { depth: 2, feed_forward: 300, tied: false },
    { feedForward: 300, tiedEmbeddings: false },
  ],
])('a model of %j', (over, expected) => {
  const config = modelConfig(model(over), 1000, 128);
  expect(config).toMatchObject({ vocabulary: 1000, context: 128, ...expected });
  expect(parametersOf(config)).toBeGreaterThan(1000 * config.width);
});

test.each([
  [{ steps: 7, tokens: 1e6 }, 7],
  [{ tokens: 4097 }, 9],
  [{ epochs: 2 }, 50],
  [{ epochs: 0.001 }, 1],
  [{}, 25],
])('steps of %j over 200 samples, 8 rows of 64', (p, steps) => {
  expect(stepsOf(p, { batch: 8, sequence: 64, count: 200, epochs: 1 })).toBe(steps);
});

const section = (over: object) => pretrainSection.parse(over);

test.each([
  [{ batch: 16 }, 256, 8],
  [{ batch: 15 }, 256, 15],
  [{ batch: 16 }, 1024, 4],
  [{ batch: 12 }, 512, 6],
  [{ batch: 7 }, 1024, 1],
  [{ batch: 16, ranks: 2 }, 256, 8],
  [{ batch: 16, ranks: 2, micro_batch: 2 }, 256, 2],
  [{ batch: 4 }, 100_000, 1],
  [{ batch: 32, parallel: { pipeline: 2 } }, 256, 4],
  [{ batch: 8, parallel: { pipeline: 4 } }, 256, 1],
  [{ batch: 24, parallel: { pipeline: 2, chunks: 2 } }, 256, 3],
])('rows at once of %j with %d tokens a row: %d', (over, sequence, rows) => {
  const p = section(over);
  expect(microBatchOf('pretrain', p, parallelOf('pretrain', p), sequence)).toBe(rows);
});

test.each([
  [{}, { data: 1, tensor: 1, pipeline: 1 }],
  [{ ranks: 8 }, { data: 8, tensor: 1, pipeline: 1 }],
  [
    { ranks: 8, parallel: { tensor: 2, pipeline: 2 } },
    { data: 2, tensor: 2, pipeline: 2 },
  ],
  [{ parallel: { tensor: 4 } }, { data: 1, tensor: 4, pipeline: 1 }],
  [{ parallel: { data: 3, pipeline: 2 } }, { data: 3, tensor: 1, pipeline: 2 }],
])('the mesh of %j', (over, mesh) => {
  expect(parallelOf('pretrain', section(over)).mesh).toEqual(mesh);
});

test.each([
  [{ ranks: 6, parallel: { tensor: 4 } }, '6 ranks = data 1.50 × tensor 4 × pipeline 1'],
  [{ ranks: 4, parallel: { data: 1, tensor: 2 } }, '4 ranks, but data 1 × tensor 2 × pipeline 1 = 2'],
])('ranks that no mesh has: %j', (over, message) => {
  expect(() => parallelOf('pretrain', section(over))).toThrow(message);
});

test('the warm-up is a twentieth of the steps, at most 200, and never longer than the run', () => {
  const rate = pretrainSection.parse({}).learning_rate;
  expect([10, 100, 1000, 100_000].map((steps) => rateOf(rate, steps).warmup)).toEqual([1, 5, 50, 200]);
  expect(rateOf({ ...rate, warmup: 500 }, 100).warmup).toBe(100);
});

test.each([
  [pretrainSection, { stpes: 1 }],
  [pretrainSection, { learning_rate: { peak: 0 } }],
  [pretrainSection, { learning_rate: { schedule: 'cosin' } }],
  [pretrainSection, { batch: 0 }],
  [pretrainSection, { name: '../x' }],
  [pretrainSection, { adam: { beta1: 1 } }],
  [pretrainSection, { parallel: { tensor: 0 } }],
  [pretrainSection, { parallel: { zero: 3 } }],
  [finetuneSection, { validation: { share: 0.9 } }],
])('a section that is refused: %#', (section, value) => {
  expect(section.safeParse(value).success).toBe(false);
});
