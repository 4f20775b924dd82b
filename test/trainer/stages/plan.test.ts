import { availableParallelism } from 'node:os';
import { expect, test } from 'vitest';
import { parametersOf } from '../../../trainer/model/size.ts';
import { finetuneSection, pretrainSection } from '../../../trainer/recipe.ts';
import { microBatchOf, modelConfig, rateOf, stepsOf, threadsOf } from '../../../trainer/stages/plan.ts';

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

test.each([
  [{ batch: 16, ranks: 1 }, 256, 8],
  [{ batch: 15, ranks: 1 }, 256, 15],
  [{ batch: 16, ranks: 1 }, 1024, 4],
  [{ batch: 12, ranks: 1 }, 512, 6],
  [{ batch: 7, ranks: 1 }, 1024, 1],
  [{ batch: 16, ranks: 2 }, 256, 8],
  [{ batch: 16, ranks: 2, micro_batch: 2 }, 256, 2],
  [{ batch: 4, ranks: 1 }, 100_000, 1],
])('rows at once of %j with %d tokens a row: %d', (p, sequence, rows) => {
  expect(microBatchOf('pretrain', p, sequence)).toBe(rows);
});

test('the warm-up is a twentieth of the steps, at most 200, and never longer than the run', () => {
  const rate = pretrainSection.parse({}).learning_rate;
  expect([10, 100, 1000, 100_000].map((steps) => rateOf(rate, steps).warmup)).toEqual([1, 5, 50, 200]);
  expect(rateOf({ ...rate, warmup: 500 }, 100).warmup).toBe(100);
});

test('threads and ranks never ask for more cores than there are', () => {
  const cores = availableParallelism();
  expect(threadsOf('pretrain', 1)).toBe(cores);
  expect(threadsOf('pretrain', 1, 1)).toBe(1);
  expect(() => threadsOf('pretrain', cores + 1)).toThrow(`${cores + 1} ranks on ${cores} cores`);
  expect(() => threadsOf('pretrain', 1, cores + 1)).toThrow(`with ${cores + 1} threads each on ${cores} cores`);
});

test.each([
  [pretrainSection, { stpes: 1 }],
  [pretrainSection, { learning_rate: { peak: 0 } }],
  [pretrainSection, { learning_rate: { schedule: 'cosin' } }],
  [pretrainSection, { batch: 0 }],
  [pretrainSection, { name: '../x' }],
  [pretrainSection, { adam: { beta1: 1 } }],
  [finetuneSection, { from: 'x' }],
  [finetuneSection, { validation: { share: 0.9 } }],
])('a recipe that says %#: %j is refused', (section, value) => {
  expect(section.safeParse(value).success).toBe(false);
});
