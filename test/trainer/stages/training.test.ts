import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { readTable } from '../../../core/lake/parquet.ts';
import { steps as stepsTable, type Step } from '../../../core/records/index.ts';
import { alone } from '../../../trainer/collectives/alone.ts';
import { orderedWindows, shuffledWindows, type TokenStream } from '../../../trainer/loader/windows.ts';
import { parametersOf } from '../../../trainer/model/size.ts';
import { byteCounts, type Vocabulary } from '../../../trainer/sample/vocabulary.ts';
import { ALONE } from '../../../trainer/parallel/options.ts';
import {
  finishTraining,
  placeOfRun,
  trainAsRank,
  type Engine,
  type Training,
} from '../../../trainer/stages/training.ts';
import { nextToken } from '../../../trainer/stages/objective.ts';
import { testContext, type TestContext } from '../context.ts';
import { bigramConfig, openBigram, openBigramDecoder } from '../fake-session.ts';

const lakes: string[] = [];
afterEach(() => lakes.splice(0).forEach((lake) => rmSync(lake, { recursive: true })));
const freshLake = () => {
  const lake = mkdtempSync(join(tmpdir(), 'garner-training-'));
  lakes.push(lake);
  return lake;
};

const V = 17;
const vocabulary: Vocabulary = {
  size: V,
  endOfText: V - 1,
  specials: [V - 1],
  special: () => null,
  encode: (text) => [...text].map((c) => c.charCodeAt(0) - 97),
  bytes: (id) => (id === V - 1 ? new Uint8Array() : Uint8Array.of(97 + id)),
};
const streamOf = (tokens: Uint16Array): TokenStream => ({
  tokens: tokens.length,
  read: (offset, length) => tokens.subarray(offset, offset + length),
});
const engine: Engine = { open: openBigram, decoder: openBigramDecoder };

/** A text in which each letter mostly follows the one before it: a bigram model learns it. */
const corpus = (n: number, seed: number) =>
  Uint16Array.from({ length: n }, (_, i) =>
    i % 40 === 39 ? V - 1 : (i + (Math.imul(i + seed, 2654435761) >>> 29 === 0 ? 5 : 0)) % (V - 1),
  );

function training(over: Partial<Training['plan']> = {}): Training {
  const options = { sequence: 16, endOfText: V - 1, documentMask: true };
  const steps = over.steps ?? 30;
  const plan: Training['plan'] = {
    run: 'toy',
    stepTokens: 128,
    steps,
    sequence: 16,
    batch: 8,
    microBatch: 4,
    rate: { kind: 'cosine', peak: 0.1, warmup: 3, end: 0.1, decay: 0.2, steps },
    adam: { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1 },
    clip: 1,
    validateEvery: 10,
    ...over,
  };
  return {
    config: bigramConfig(V),
    plan,
    learner: {
      batch: 4,
      sequence: 16,
      threads: 1,
      engine: 'reference',
      seed: 7,
      documents: true,
      parallel: ALONE,
    },
    objective: nextToken(
      shuffledWindows(streamOf(corpus(3000, 1)), { ...options, seed: 7 }),
      {
        samples: orderedWindows(streamOf(corpus(200, 2)), options),
        documentMask: true,
        bytesOf: byteCounts(vocabulary),
      },
      plan,
    ),
    vocabulary,
    weights: null,
    checkpoint: { every: 7, keep: 2 },
    sampling: {
      every: 10,
      prompts: [{ text: 'ab', ids: [0, 1] }],
      tokens: 5,
      temperature: 0.8,
      topK: 0,
    },
    end: V - 1,
    beside: { 'tokenizer.json': '{}' },
    found: { counts: {}, notices: [] },
  };
}

async function runIt(
  context: TestContext,
  over: Partial<Training['plan']> = {},
  { use = engine, stopRequested = () => false }: { use?: Engine; stopRequested?: () => boolean } = {},
) {
  const what = training(over);
  if (over.microBatch) what.learner.batch = over.microBatch;
  const place = placeOfRun(context);
  await trainAsRank(what, use, { world: alone(), place, reports: context, stopRequested });
  return finishTraining(what, place, context);
}

/** All files of the run by name, timing aside. */
const outputs = (lake: string) => {
  const folder = join(lake, 'runs', 'testkey');
  const names = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((e) => e.isFile() && e.name !== 'timing.jsonl')
    .map((e) => join(e.parentPath, e.name).slice(folder.length + 1));
  return Object.fromEntries(names.toSorted().map((n) => [n, readFileSync(join(folder, n)).toString('base64')]));
};

const rowsOf = async (lake: string): Promise<Step[]> => {
  const rows: Step[] = [];
  for await (const batch of readTable([join(lake, 'runs', 'testkey', 'steps.parquet')], stepsTable))
    rows.push(...batch);
  return rows;
};

test('a run writes its steps, samples and checkpoints, and learns', async () => {
  const lake = freshLake();
  const context = testContext(lake);
  const counts = await runIt(context);
  const rows = await rowsOf(lake);
  expect(rows.map((r) => r.step)).toEqual(Array.from({ length: 30 }, (_, i) => i + 1));
  expect(rows[0]!.loss).toBeCloseTo(Math.log(V), 1);
  expect(rows.at(-1)!.loss).toBeLessThan(rows[0]!.loss - 0.5);
  expect(rows.map((r) => r.first_sample)).toEqual(rows.map((_, i) => i * 8));
  expect(rows.filter((r) => r.validation_loss !== null).map((r) => r.step)).toEqual([10, 20, 30]);
  expect(rows.at(-1)!.bits_per_byte).toBeCloseTo(rows.at(-1)!.validation_loss! / Math.LN2, 10); // one byte a token
  expect(counts).toEqual({ steps: 30, tokens: rows.at(-1)!.tokens, parameters: parametersOf(bigramConfig(V)) });
  expect(context.kept).toEqual([
    'runs/samples.jsonl',
    ...['step-00000028', 'step-00000030'].flatMap((c) =>
      ['config.json', 'model.safetensors', 'optimizer.safetensors', 'tokenizer.json', 'trainer.json'].map(
        (f) => `runs/checkpoints/${c}/${f}`,
      ),
    ),
  ]);
  expect(context.saidFacts).toMatchObject({
    name: 'toy',
    steps: 30,
    checkpoint: 'runs/testkey/checkpoints/step-00000030',
  });
  const samples = readFileSync(join(lake, 'runs', 'testkey', 'samples.jsonl'), 'utf8')
    .trim()
    .split('\n');
  expect(samples.map((s) => (JSON.parse(s) as { step: number }).step)).toEqual([10, 20, 30]);
});

test('stopped at any step and started again: every file is the same to the last bit', async () => {
  const undisturbed = freshLake();
  await runIt(testContext(undisturbed));
  const lake = freshLake();
  for (const stopAt of [1, 6, 7, 8, 14, 23, 29, 30]) {
    const context = testContext(lake);
    context.progress = (step) => {
      if (step === stopAt) throw new Error('killed');
    };
    await expect(runIt(context)).rejects.toThrow('killed');
    // What a kill in the middle of a write leaves: a torn line, half a checkpoint.
    appendFileSync(join(lake, 'scratch', 'steps.jsonl'), '{"run":"toy","step":');
    appendFileSync(join(lake, 'runs', 'testkey', 'samples.jsonl'), '{"st');
  }
  const context = testContext(lake);
  await runIt(context);
  expect(context.notices).toEqual(['toy goes on after step 28']);
  expect(outputs(lake)).toEqual(outputs(undisturbed));
});

test.each([
  ['trainer.json', '{"st'],
  ['model.safetensors', 'cut'],
  ['optimizer.safetensors', ''],
])('a checkpoint with a damaged %s is passed over and made again', async (file, content) => {
  const undisturbed = freshLake();
  await runIt(testContext(undisturbed));
  const lake = freshLake();
  const stopped = testContext(lake);
  stopped.progress = (step) => {
    if (step === 23) throw new Error('killed');
  };
  await expect(runIt(stopped)).rejects.toThrow('killed');
  writeFileSync(join(lake, 'runs', 'testkey', 'checkpoints', 'step-00000021', file), content);
  const context = testContext(lake);
  await runIt(context);
  expect(context.notices[0]).toContain('the checkpoint at step 21 is damaged and is made again');
  expect(context.notices[0]).toContain(file);
  expect(context.notices[1]).toBe('toy goes on after step 14');
  expect(outputs(lake)).toEqual(outputs(undisturbed));
});

test('a finished run that is started again changes nothing', async () => {
  const lake = freshLake();
  await runIt(testContext(lake));
  const before = outputs(lake);
  await runIt(testContext(lake));
  expect(outputs(lake)).toEqual(before);
});

test('micro-batches change the sum only in its last bits', async () => {
  const [one, two] = [freshLake(), freshLake()];
  await runIt(testContext(one), { microBatch: 8 });
  await runIt(testContext(two), { microBatch: 2 });
  const [a, b] = [await rowsOf(one), await rowsOf(two)];
  for (const [i, row] of a.entries()) expect(Math.abs(row.loss / b[i]!.loss - 1)).toBeLessThan(1e-6);
});

test('a checkpoint of another recipe, or without its rows, is not used', async () => {
  const lake = freshLake();
  const context = testContext(lake);
  await runIt(context);
  expect(placeOfRun(context).checkpoint).toMatch(/step-00000030$/);
  expect(placeOfRun({ ...context, scratch: context.scratch, key: () => 'another' }).checkpoint).toBeNull();
  writeFileSync(join(lake, 'scratch', 'steps.jsonl'), '');
  expect(placeOfRun(context).checkpoint).toBeNull();
});

test('a loss that is no number ends the run with what to do', async () => {
  const lake = freshLake();
  const broken: Engine = {
    ...engine,
    open: (config, options) => ({
      ...openBigram(config, options),
      accumulate: () => ({ lossSum: NaN, tokens: 1 }),
    }),
  };
  const context = testContext(lake);
  await expect(runIt(context, {}, { use: broken })).rejects.toThrow('toy: the loss is no number at step 1');
});

test('asked to stop, it writes a checkpoint, ends with the code for a requeue, and leaves no trace once it has gone on', async () => {
  const undisturbed = freshLake();
  await runIt(testContext(undisturbed));
  const lake = freshLake();
  for (const stopAt of [3, 16]) {
    const context = testContext(lake);
    let step = 0;
    context.progress = (done) => void (step = done);
    const stopped = runIt(context, {}, { stopRequested: () => step === stopAt - 1 });
    await expect(stopped).rejects.toMatchObject({ fault: 75, message: expect.stringContaining(`step ${stopAt}`) });
    expect(placeOfRun(context).checkpoint).toContain(`step-${String(stopAt).padStart(8, '0')}`);
  }
  await runIt(testContext(lake));
  expect(outputs(lake)).toEqual(outputs(undisturbed));
});
