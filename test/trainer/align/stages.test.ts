import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findCompiler } from '../../../core/native/compile.ts';
import { readTable } from '../../../core/lake/parquet.ts';
import { metrics as metricsTable, steps as stepsTable, type Step } from '../../../core/records/index.ts';
import type { AnyStage, Output } from '../../../core/stage/index.ts';
import { dpoSection, rewardSection } from '../../../trainer/align/recipe.ts';
import type { HeldOutPair } from '../../../trainer/align/held-out.ts';
import dpo from '../../../trainer/stages/dpo.ts';
import pretrain from '../../../trainer/stages/pretrain.ts';
import reward from '../../../trainer/stages/reward.ts';
import { testContext, type TestContext } from '../context.ts';
import { toyLake, toyPretrain } from '../toy-lake.ts';

let root = '';
let inputs: Record<string, readonly Output[]> = {};
let data = '';

/** Whoever speaks of whales is preferred, whatever the length. */
const pairs = Array.from({ length: 60 }, (_, i) => {
  const tail = i % 3 === 0 ? ' the old ship.' : '.';
  return {
    id: `pair-${i}`,
    source: i % 2 === 0 ? 'even' : 'odd',
    prompt: [{ role: 'user', content: `What about ${i}?` }],
    chosen: `The whale follows ${i % 7}${tail}`,
    rejected: `The captain follows ${i % 7}${i % 3 === 1 ? ' the old ship.' : '.'}`,
  };
});

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'garner-align-'));
  const lake = join(root, 'lake');
  const context = testContext(lake, await toyLake(lake));
  await pretrain.run({ id: 'train', input: null }, toyPretrain({ steps: 5, sequence: 64 }), context);
  const output = { stage: 'pretrain', facts: { checkpoint: 'runs/testkey/checkpoints/step-00000005' } };
  inputs = { ...context.inputs, pretrain: [output as unknown as Output] };
  data = join(root, 'pairs.jsonl');
  writeFileSync(data, pairs.map((p) => `${JSON.stringify(p)}\n`).join(''));
});
afterAll(() => rmSync(root, { recursive: true }));

const made = (path: string): string => {
  mkdirSync(path, { recursive: true });
  return path;
};

const common = { batch: 8, micro_batch: 2, threads: 1, checkpoint: { every: 5 } };
const rewardOf = (over: object) => ({
  reward: rewardSection.parse({ data, steps: 12, learning_rate: { peak: 5e-3 }, ...common, ...over }),
});
const dpoOf = (over: object) => ({
  dpo: dpoSection.parse({
    data,
    steps: 12,
    learning_rate: { peak: 2e-3 },
    validation: { every: 6, share: 0.2 },
    sample: { tokens: 8 },
    ...common,
    ...over,
  }),
});

interface Run {
  rows: Step[];
  metrics: Map<string, number[]>;
  context: TestContext;
  counts: Record<string, number>;
  run: string;
}

async function runStage(
  stage: AnyStage,
  name: string,
  sections: object,
  change: (c: TestContext) => void = () => {},
): Promise<Run> {
  const lake = join(root, 'lake');
  const context = testContext(lake, inputs);
  context.key = () => name;
  context.folder = (folder) => made(join(lake, folder, name));
  context.file = (folder, file) => join(made(join(lake, folder, name)), file);
  Object.defineProperty(context, 'scratch', { get: () => made(join(lake, 'scratch', name)) });
  change(context);
  const params = stage.params({ name: 'toy', ...sections });
  const counts = await stage.run({ id: 'train', input: null }, params, context);
  const rows: Step[] = [];
  for await (const batch of readTable([join(lake, 'runs', name, 'steps.parquet')], stepsTable)) rows.push(...batch);
  const metrics = new Map<string, number[]>();
  for await (const batch of readTable([join(lake, 'metrics', name, 'metrics.parquet')], metricsTable))
    for (const m of batch) metrics.set(m.name, [...(metrics.get(m.name) ?? []), m.value]);
  return { rows, metrics, context, counts, run: join(lake, 'runs', name) };
}

const linesOf = <T>(path: string): T[] =>
  readFileSync(path, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as T);

test('a reward model learns which answer is preferred, and says what it knows of others', async () => {
  const { rows, metrics, context, counts, run } = await runStage(reward, 'reward', rewardOf({ steps: 30 }));
  expect(Math.abs(rows[0]!.loss - Math.LN2)).toBeLessThan(0.05);
  expect(rows.at(-1)!.loss).toBeLessThan(0.4);
  expect(counts).toMatchObject({ pairs: 60, held_out: 6, refused: 0, cut: 0 });
  expect(metrics.get('held_out_accuracy')!.at(-1)).toBe(1);
  const held = linesOf<HeldOutPair>(join(run, 'held-out.jsonl'));
  expect(held).toHaveLength(6);
  expect(context.saidFacts['held_out']).toMatchObject({ pairs: 6, accuracy: 1 });
  expect(context.kept).toContain('runs/held-out.jsonl');
  const config = JSON.parse(readFileSync(join(run, 'checkpoints/step-00000030/config.json'), 'utf8')) as object;
  expect(config).toMatchObject({
    architectures: ['LlamaForSequenceClassification'],
    num_labels: 1,
    tie_word_embeddings: false,
  });
});

test('two files are two parts, whatever their records say', async () => {
  const [a, b] = [join(root, 'a.jsonl'), join(root, 'b.jsonl.gz')];
  writeFileSync(
    a,
    pairs
      .slice(0, 4)
      .map((p) => `${JSON.stringify(p)}\n`)
      .join(''),
  );
  writeFileSync(
    b,
    gzipSync(
      pairs
        .slice(4, 8)
        .map((p) => `${JSON.stringify(p)}\n`)
        .join(''),
    ),
  );
  const { context } = await runStage(reward, 'parts', rewardOf({ data: [a, b], steps: 1, batch: 2, folds: 2 }));
  const { parts } = context.saidFacts['held_out'] as { parts: Record<string, { pairs: number }> };
  expect(Object.entries(parts).map(([name, p]) => [name, p.pairs])).toEqual([
    ['a', 4],
    ['b', 4],
  ]);
});

test('with folds every pair is held out once, by the prompts, each time by a model that begins anew', async () => {
  const { rows, run, context } = await runStage(reward, 'folds', rewardOf({ steps: 6, folds: 3 }));
  expect(rows).toHaveLength(24);
  for (const first of [0, 6, 12, 18]) {
    expect(Math.abs(rows[first]!.loss - Math.LN2)).toBeLessThan(0.05);
    expect(rows[first]!.learning_rate).toBe(rows[0]!.learning_rate);
  }
  const held = linesOf<HeldOutPair>(join(run, 'held-out.jsonl'));
  expect(held.map((h) => h.id).toSorted()).toEqual(pairs.map((p) => p.id).toSorted());
  expect(new Set(held.map((h) => h.fold))).toEqual(new Set([0, 1, 2]));
  const report = context.saidFacts['held_out'] as { longer: number; parts: object };
  expect(report.longer).toBeCloseTo(1 / 3, 10);
  expect(Object.keys(report.parts)).toEqual(['even', 'odd']);
});

const stop = (at: number) => (c: TestContext) => {
  c.progress = (step) => {
    if (step === at) throw new Error('killed');
  };
};

const stages = [
  ['reward', reward, rewardOf({ steps: 4, folds: 2 })],
  ['dpo', dpo, dpoOf({})],
  ['ipo', dpo, dpoOf({ loss: 'ipo' })],
  ['kto', dpo, dpoOf({ loss: 'kto' })],
] as const;
const sectionsNow = (name: string) =>
  name === 'reward' ? rewardOf({ steps: 4, folds: 2 }) : dpoOf({ loss: name as 'dpo' | 'ipo' | 'kto' });

describe.each(stages.map(([name, stage]) => [name, stage] as const))('%s', (name, stage) => {
  test('killed and started again: the same rows, numbers and lines to the last bit', async () => {
    const undisturbed = await runStage(stage, `${name}-undisturbed`, sectionsNow(name));
    await expect(runStage(stage, `${name}-stopped`, sectionsNow(name), stop(8))).rejects.toThrow('killed');
    const resumed = await runStage(stage, `${name}-stopped`, sectionsNow(name));
    expect(resumed.context.notices.join()).toContain('goes on after step 5');
    expect(resumed.rows).toEqual(undisturbed.rows);
    expect(resumed.metrics).toEqual(undisturbed.metrics);
    const last = (r: Run) =>
      readFileSync(join(r.run, `checkpoints/step-000000${r.rows.length}/model.safetensors`)).toString('base64');
    expect(last(resumed) === last(undisturbed)).toBe(true);
  });

  test.skipIf(findCompiler() === null)(
    'on two data ranks, to the last bit; on two tensor ranks within 1e-5',
    async () => {
      const one = await runStage(stage, `${name}-one`, sectionsNow(name));
      const over = (parallel: object) => {
        const [key, section] = Object.entries(sectionsNow(name))[0]! as [string, object];
        return {
          [key]: {
            ...section,
            ranks: 2,
            parallel: { tensor: 1, pipeline: 1, chunks: 1, zero: 0, sequence: false, recompute: 'none', ...parallel },
          },
        };
      };
      const data2 = await runStage(stage, `${name}-data`, over({ zero: 2 }));
      expect(data2.rows).toEqual(one.rows);
      expect(data2.metrics).toEqual(one.metrics);
      const tensor2 = await runStage(stage, `${name}-tensor`, over({ tensor: 2 }));
      tensor2.rows.forEach((row, i) => expect(Math.abs(row.loss / one.rows[i]!.loss - 1)).toBeLessThan(1e-5));
    },
  );
});

test('DPO begins at ln 2, IPO at 1/(4β²), KTO at ½; margins rise on prompts that are held out', async () => {
  const first = { dpo: Math.LN2, ipo: 1 / (4 * 0.1 ** 2), kto: 0.5 };
  for (const loss of ['dpo', 'ipo', 'kto'] as const) {
    const { rows, metrics, run } = await runStage(dpo, `first-${loss}`, dpoOf({ loss, steps: 24 }));
    expect(Math.abs(rows[0]!.loss / first[loss] - 1), loss).toBeLessThan(1e-6);
    expect(rows.at(-1)!.loss).toBeLessThan(first[loss]);
    expect(metrics.get('held_out_margin')!.at(-1)!, loss).toBeGreaterThan(0.01);
    expect(metrics.get('margin')![0]!).toBeCloseTo(0, 6);
    expect(metrics.get('held_out_kl')!.at(-1)!).toBeGreaterThanOrEqual(0);
    if (loss !== 'kto') expect(metrics.get('held_out_accuracy')!.at(-1)).toBeGreaterThan(0.9);
    expect(linesOf(join(run, 'samples.jsonl'))).toHaveLength(4);
  }
});

test('DPO with folds holds every pair out once, and each fold begins at ln 2', async () => {
  const { rows, run, context } = await runStage(dpo, 'dpo-folds', dpoOf({ steps: 4, folds: 2 }));
  expect(rows).toHaveLength(12);
  for (const first of [0, 4, 8]) expect(rows[first]!.loss).toBeCloseTo(Math.LN2, 6);
  const held = linesOf<{ id: string }>(join(run, 'held-out.jsonl'));
  expect(held.map((h) => h.id).toSorted()).toEqual(pairs.map((p) => p.id).toSorted());
  expect(context.saidFacts['held_out']).toMatchObject({ pairs: 60 });
  await expect(runStage(dpo, 'kto-folds', dpoOf({ loss: 'kto', folds: 2 }))).rejects.toThrow('kto with folds');
});

test('half a pair, an empty answer and a tool call are counted and named; nothing else is lost', async () => {
  const bad = join(root, 'bad.jsonl');
  const lines = [
    pairs[0],
    { prompt: 'Hi', chosen: 'Hello' },
    { prompt: 'Hi', chosen: 'Hello', rejected: '  ' },
    { prompt: [{ role: 'tool', content: '{}' }], chosen: 'a', rejected: 'b' },
    pairs[1],
  ];
  writeFileSync(bad, lines.map((l) => `${JSON.stringify(l)}\n`).join(''));
  const { context, counts } = await runStage(
    reward,
    'bad',
    rewardOf({ data: bad, steps: 1, batch: 2, validation: { share: 0 } }),
  );
  expect(counts).toMatchObject({ pairs: 2, refused: 3, held_out: 0 });
  expect(context.notices[0]).toBe(
    `${bad}: 3 records are left out (empty_answer 1, half_a_pair 1, template_has_no_tools 1)`,
  );
  writeFileSync(bad, '{"prompt":"Hi","chosen":"Hello"}\n');
  await expect(runStage(reward, 'none', rewardOf({ data: bad }))).rejects.toThrow(
    'no line is a preference pair: half_a_pair 1',
  );
});

test('answers that are too long lose their beginning, then their end', async () => {
  const long = join(root, 'long.jsonl');
  const words = 'harbour '.repeat(200);
  const line = { prompt: `${words}?`, chosen: 'The whale.', rejected: words };
  writeFileSync(long, `${JSON.stringify(line)}\n${JSON.stringify({ ...line, prompt: 'Short?' })}\n`);
  const { counts, context } = await runStage(
    reward,
    'long',
    rewardOf({ data: long, steps: 1, batch: 2, validation: { share: 0 } }),
  );
  expect(counts).toMatchObject({ pairs: 2, cut: 2 });
  expect(context.notices).toContain('2 are longer than 64 tokens and are cut');
});
