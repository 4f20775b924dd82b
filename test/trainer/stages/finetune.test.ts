import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readTable } from '../../../core/lake/parquet.ts';
import { steps as stepsTable, type Step } from '../../../core/records/index.ts';
import type { Output } from '../../../core/stage/index.ts';
import { finetuneSection } from '../../../trainer/recipe.ts';
import finetune from '../../../trainer/stages/finetune.ts';
import pretrain from '../../../trainer/stages/pretrain.ts';
import { testContext } from '../context.ts';
import { toyLake, toyPretrain } from '../toy-lake.ts';

let root = '';
let inputs: Record<string, readonly Output[]> = {};
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'garner-finetune-'));
  const context = testContext(join(root, 'lake'), await toyLake(join(root, 'lake')));
  await pretrain.run({ id: 'train', input: null }, toyPretrain({ steps: 5, sequence: 64 }), context);
  const output = { stage: 'pretrain', facts: { checkpoint: 'runs/testkey/checkpoints/step-00000005' } };
  inputs = { ...context.inputs, pretrain: [output as unknown as Output] };
});
afterAll(() => rmSync(root, { recursive: true }));

const section = (over: object = {}) =>
  finetuneSection.parse({
    steps: 40,
    batch: 4,
    threads: 1,
    learning_rate: { peak: 1e-2 },
    validation: { every: 20, share: 0.1 },
    checkpoint: { every: 15 },
    sample: { temperature: 0, tokens: 12 },
    ...over,
  });

/** Runs the stage in a lake folder of its own over the same pretrained model. */
async function runStage(
  name: string,
  over: object = {},
  change: (c: ReturnType<typeof testContext>) => void = () => {},
) {
  const lake = join(root, 'lake');
  const context = testContext(lake, inputs);
  context.key = () => name;
  context.folder = (folder) => {
    const path = join(lake, folder, name);
    return testMkdir(path);
  };
  context.file = (folder, file) => join(testMkdir(join(lake, folder, name)), file);
  Object.defineProperty(context, 'scratch', { get: () => testMkdir(join(lake, 'scratch', name)) });
  change(context);
  const params = finetune.params({ name: 'toy', finetune: section(over) });
  const counts = await finetune.run({ id: 'train', input: null }, params, context);
  const rows: Step[] = [];
  for await (const batch of readTable([join(lake, 'runs', name, 'steps.parquet')], stepsTable)) rows.push(...batch);
  return { counts, rows, context, run: join(lake, 'runs', name) };
}

test('a model learns answers; what it was trained with lies beside it', async () => {
  const { rows, counts, context, run } = await runStage('answers');
  expect(rows.at(-1)!.loss).toBeLessThan(rows[0]!.loss - 2);
  expect(rows.map((r) => r.validation_loss !== null)).toEqual(rows.map((r) => r.step === 20 || r.step === 40));
  expect(rows.every((r) => r.bits_per_byte === null)).toBe(true);
  expect(counts).toMatchObject({ conversations: 302, held_out: 30, refused: 0, steps: 40 });
  // Only answers are trained on: far fewer tokens than the rows hold.
  expect(rows[0]!.tokens).toBeLessThan(4 * 64 * 0.5);
  const checkpoint = join(run, 'checkpoints', 'step-00000040');
  expect(readdirSync(checkpoint)).toContain('chat_template.jinja');
  const config = JSON.parse(readFileSync(join(checkpoint, 'config.json'), 'utf8')) as { eos_token_id: number };
  expect(config.eos_token_id).toBe(402);
  const samples = readFileSync(join(run, 'samples.jsonl'), 'utf8').trim().split('\n');
  expect(samples).toHaveLength(4);
  expect(context.saidFacts).toMatchObject({ name: 'toy-finetune', steps: 40 });
});

test('stopped and started again: the same losses to the last bit', async () => {
  const undisturbed = await runStage('undisturbed', { steps: 20 });
  const stop = (at: number) => (c: ReturnType<typeof testContext>) => {
    c.progress = (step) => {
      if (step === at) throw new Error('killed');
    };
  };
  await expect(runStage('stopped', { steps: 20 }, stop(17))).rejects.toThrow('killed');
  const resumed = await runStage('stopped', { steps: 20 });
  expect(resumed.context.notices).toContain('toy-finetune goes on after step 15');
  expect(resumed.rows).toEqual(undisturbed.rows);
});

test('two ranks train as one, to the last bit', async () => {
  const [one, two] = [await runStage('one', { steps: 10 }), await runStage('two', { steps: 10, ranks: 2 })];
  expect(two.rows).toEqual(one.rows);
});

test('bad lines are counted and named, the rest is trained on', async () => {
  const data = join(root, 'mixed.jsonl');
  writeFileSync(
    data,
    'oops\n{"prompt":"Hi","completion":"Hello"}\n{"messages":[]}\n{"prompt":"Bye","completion":"Bye"}\n',
  );
  const { counts, context } = await runStage('mixed', { data, steps: 2 });
  expect(counts).toMatchObject({ conversations: 2, refused: 2, held_out: 0 });
  expect(context.notices[0]).toBe(
    `${data}: 2 lines are no conversations and are left out, the first is line 1 (not_json)`,
  );
});

test('the content of the data is in the key, its path is not', () => {
  const [a, b] = [join(root, 'a.jsonl'), join(root, 'b.jsonl')];
  writeFileSync(a, '{"prompt":"Hi","completion":"Hello"}\n');
  writeFileSync(b, '{"prompt":"Hi","completion":"Hello"}\n');
  const unit = (data: string) =>
    JSON.stringify(finetune.units!(finetune.params({ name: 'x', finetune: section({ data }) })));
  expect(unit(a)).toBe(unit(b));
  const before = unit(a);
  writeFileSync(a, '{"prompt":"Hi","completion":"Hello!"}\n');
  expect(unit(a)).not.toBe(before);
  expect(() => unit(join(root, 'absent.jsonl'))).toThrow('no such file');
});

test('without a pretrained model, or without an answer that fits, a sentence', async () => {
  const params = finetune.params({ name: 'toy', finetune: section() });
  const run = (over: object, p: unknown) =>
    Promise.resolve(
      finetune.run({ id: 'train', input: null }, p, testContext(join(root, 'lake'), { ...inputs, ...over })),
    );
  await expect(run({ pretrain: [] }, params)).rejects.toThrow('no pretrained model to fine-tune');
  const long = join(root, 'long.jsonl');
  writeFileSync(long, `${JSON.stringify({ prompt: 'word '.repeat(500), completion: 'x' })}\n`);
  await expect(run({}, finetune.params({ name: 'toy', finetune: section({ data: long }) }))).rejects.toThrow(
    'no conversation has an answer within 64 tokens',
  );
  const none = join(root, 'none.jsonl');
  writeFileSync(none, '\n{"text":"a page"}\n');
  await expect(run({}, finetune.params({ name: 'toy', finetune: section({ data: none }) }))).rejects.toThrow(
    'no line is a conversation: line 2 is no_messages',
  );
});

function testMkdir(path: string): string {
  mkdirSync(path, { recursive: true });
  return path;
}
