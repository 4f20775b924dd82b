import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { readTable } from '../../../core/lake/parquet.ts';
import { steps as stepsTable, type Step } from '../../../core/records/index.ts';
import { only } from '../../../core/stage/index.ts';
import pretrain from '../../../trainer/stages/pretrain.ts';
import { testContext } from '../context.ts';
import { toyLake, toyPretrain } from '../toy-lake.ts';

const lakes: string[] = [];
afterEach(() => lakes.splice(0).forEach((lake) => rmSync(lake, { recursive: true })));
const freshLake = () => {
  const lake = mkdtempSync(join(tmpdir(), 'garner-pretrain-'));
  lakes.push(lake);
  return lake;
};

async function runStage(lake: string, over: object = {}) {
  const context = testContext(lake, await toyLake(lake));
  const counts = await pretrain.run({ id: 'train', input: null }, toyPretrain(over), context);
  const rows: Step[] = [];
  for await (const batch of readTable([join(lake, 'runs/testkey/steps.parquet')], stepsTable)) rows.push(...batch);
  return { context, counts, rows };
}

test('a small model learns, and its rows add up', async () => {
  const lake = freshLake();
  const { rows, context } = await runStage(lake);
  expect(rows).toHaveLength(24);
  expect(Math.abs(rows[0]!.loss - Math.log(403))).toBeLessThan(0.3);
  expect(rows.at(-1)!.loss).toBeLessThan(rows[0]!.loss - 1);
  expect(rows.at(-1)!.validation_loss).toBeLessThan(rows[7]!.validation_loss!);
  expect(context.saidFacts).toMatchObject({ name: 'toy-pretrain', steps: 24, tokens: rows.at(-1)!.tokens });
  const samples = readFileSync(join(lake, 'runs/testkey/samples.jsonl'), 'utf8').trim().split('\n');
  expect(samples).toHaveLength(4);
  expect(readdirSync(join(lake, 'runs/testkey/checkpoints'))).toEqual(['step-00000020', 'step-00000024']);
});

test('how ranks share the work is in no key; everything else in the section is', () => {
  const params = (over: object) => pretrain.params({ name: 'toy', pretrain: toyPretrain(over) });
  const unit = (over: object) => JSON.stringify(pretrain.units!(params(over)));
  for (const over of [{ threads: 2 }, { ranks: 2 }, { parallel: { tensor: 2 } }]) expect(unit(over)).toBe(unit({}));
  for (const over of [{ seed: 2 }, { steps: 25 }, { clip: 2 }, { sample: { prompts: ['x'] } }])
    expect(unit(over)).not.toBe(unit({}));
  expect(pretrain.params({ name: 'toy' })).toBeNull();
  expect(pretrain.inputs).toEqual(['tokenizer', 'shards']);
});

test('two threads give the bits of one', async () => {
  const [one, two] = [await runStage(freshLake(), { steps: 6 }), await runStage(freshLake(), { steps: 6, threads: 2 })];
  expect(two.rows).toEqual(one.rows);
});

test.each([
  [{ ranks: 3 }, 'a batch of 8 for 3 data ranks'],
  [{ micro_batch: 3 }, 'a micro-batch of 3 in 8 rows a data rank'],
  [{ threads: 4096 }, '1 ranks × 4096 threads = 4096 on'],
  [{ model: { width: 30, heads: 4 } }, '30 channels in 4 heads'],
  [{ model: { width: 64, heads: 4, kv_heads: 3 } }, '4 heads cannot share 3'],
  [{ sequence: 100_000 }, 'the train split has'],
])('%j cannot be trained, with a sentence', async (over, message) => {
  const lake = freshLake();
  const context = testContext(lake, await toyLake(lake));
  const error = await Promise.resolve(
    pretrain.run({ id: 'train', input: null }, toyPretrain({ micro_batch: undefined, ...over }), context),
  ).catch((e: unknown) => e);
  expect(String(error)).toContain(message);
  expect(error).toMatchObject({ fault: 2 });
});

test('shards that are not those of their marker are refused', async () => {
  const lake = freshLake();
  const inputs = await toyLake(lake);
  only(inputs, 'shards')!.files[0]!.sha256 = '0'.repeat(64);
  const context = testContext(lake, inputs);
  await expect(Promise.resolve(pretrain.run({ id: 'train', input: null }, toyPretrain(), context))).rejects.toThrow(
    'the digest does not fit its marker',
  );
});
