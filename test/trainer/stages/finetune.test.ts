import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readTable } from '../../../core/lake/parquet.ts';
import { decisions as decisionsTable, steps as stepsTable, type Step } from '../../../core/records/index.ts';
import type { Output } from '../../../core/stage/index.ts';
import { readConfig } from '../../../trainer/checkpoint/config.ts';
import { openSafetensors } from '../../../trainer/checkpoint/safetensors.ts';
import { templateBeside } from '../../../trainer/chat/template.ts';
import { finetuneSection } from '../../../trainer/recipe.ts';
import { openVocabulary } from '../../../trainer/sample/vocabulary.ts';
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
    `${data}: 2 of 4 records are left out (1 not_json, 1 no_messages), the first is mixed.jsonl:1`,
  );
});

test('what a template cannot express, empty answers and what is too long are decisions by name', async () => {
  const data = join(root, 'odd.jsonl');
  const user = (content: string) => ({ role: 'user', content });
  const assistant = (content: string) => ({ role: 'assistant', content });
  const line = (messages: object[], more: object = {}) => JSON.stringify({ messages, ...more });
  writeFileSync(
    data,
    [
      line([user('Who saw the whale?'), assistant('The captain.')]),
      line([
        user('Where is it?'),
        { role: 'tool_call', content: '{}' },
        { role: 'tool', content: '3' },
        assistant('3'),
      ]),
      line([
        user('Where is it?'),
        { role: 'assistant', content: null, tool_calls: [{ name: 'find' }] },
        assistant('x'),
      ]),
      line([user('Find it'), assistant('I cannot.')], { tools: [{ name: 'find' }] }),
      line([user('a'), assistant('  '), user('b'), assistant('c')]),
      line([{ role: 'critic', content: 'a' }, assistant('c')]),
      line([user('The whale saw the harbour. '.repeat(40)), assistant('Yes.')], { id: 'too far' }),
      line([user('Go on'), assistant('The whale saw the harbour. '.repeat(40))], { id: 'cut' }),
    ].join('\n'),
  );
  const { counts, run } = await runStage('odd', { data, steps: 2, validation: { every: 2, share: 0 } });
  expect(counts).toMatchObject({ conversations: 3, refused: 5, cut: 2, unanswered: 1 });
  const rows: object[] = [];
  const path = join(run, '..', '..', 'decisions', 'odd', 'part-00000.parquet');
  for await (const batch of readTable([path], decisionsTable)) rows.push(...batch);
  expect(rows).toMatchObject([
    { rule: 'template_has_no_tools', evidence: 'odd.jsonl:2', verdict: 'refuse', stage: 'finetune' },
    { rule: 'template_has_no_tools', evidence: 'odd.jsonl:3', verdict: 'refuse' },
    { rule: 'template_has_no_tools', evidence: 'odd.jsonl:4', verdict: 'refuse' },
    { rule: 'empty_answer', evidence: 'odd.jsonl:5', verdict: 'refuse' },
    { rule: 'unknown_role', evidence: 'odd.jsonl:6', verdict: 'refuse' },
    { rule: 'longer_than_row', subject_id: 'too far', threshold: '65', verdict: 'drop' },
    { rule: 'longer_than_row', subject_id: 'cut', threshold: '65', verdict: 'edit' },
  ]);
});

describe('a template whose marks the tokenizer lacks', () => {
  const marks = ['<|begin_of_text|>', '<|start_header_id|>', '<|end_header_id|>', '<|eot_id|>'];
  const tokensOf = (path: string) =>
    (
      JSON.parse(readFileSync(join(path, 'tokenizer.json'), 'utf8')) as {
        added_tokens: { id: number; content: string }[];
      }
    ).added_tokens;

  test('they become tokens whose rows start at the mean and are trained, of all weights or beside adapters', async () => {
    const old = openSafetensors(
      join(root, 'lake', 'runs', 'testkey', 'checkpoints', 'step-00000005', 'model.safetensors'),
    );
    const name = 'model.embed_tokens.weight';
    const table = old.read(name);
    old.close();
    const width = 32;
    const mean = Float32Array.from({ length: width }, (_, c) => {
      let sum = 0;
      for (let row = 0; row < table.length / width; row++) sum += table[row * width + c]! / (table.length / width);
      return sum;
    });
    for (const [run, over] of [
      ['llama3', {}],
      ['llama3-lora', { lora: { rank: 2 } }],
      ['llama3-still', { learning_rate: { peak: 1e-12 } }],
    ] as const) {
      const { counts, run: folder, context } = await runStage(run, { template: 'llama3', steps: 10, ...over });
      expect(counts).toMatchObject({ new_tokens: 4 });
      expect(context.notices).toContain(`the tokenizer gets 4 new tokens: ${marks.join(' ')}`);
      const checkpoint = join(folder, 'checkpoints', 'step-00000010');
      const added = tokensOf(checkpoint).slice(-4);
      expect(added.map((t) => t.content)).toEqual(marks);
      const rows = table.length / width;
      expect(added.map((t) => t.id)).toEqual([rows, rows + 1, rows + 2, rows + 3]);
      const config = readConfig(join(checkpoint, 'config.json'));
      expect(config.vocabulary).toBe(rows + 4);
      const vocabulary = openVocabulary(join(checkpoint, 'tokenizer.json'));
      expect(templateBeside(checkpoint, vocabulary)).toMatchObject({ name: 'llama3', end: rows + 3 });
      const file = openSafetensors(join(checkpoint, 'model.safetensors'));
      const now = file.read(name);
      file.close();
      const row = (id: number) => now.slice(id * width, (id + 1) * width);
      const moved = added.map(({ id }) => Math.max(...row(id).map((x, c) => Math.abs(x - mean[c]!))));
      if (run === 'llama3-still') expect(Math.max(...moved)).toBeLessThan(1e-6);
      else expect(Math.min(...moved)).toBeGreaterThan(1e-3);
      if (run === 'llama3-lora') expect(now.slice(0, table.length)).toEqual(table);
    }
  });
});

describe('adapters', () => {
  const lora = { rank: 4, targets: ['q_proj', 'v_proj', 'down_proj'] };
  const files = (run: string, step: number) => join(run, 'checkpoints', `step-${String(step).padStart(8, '0')}`);

  test('learn answers; PEFT’s files lie beside a merged model', async () => {
    const { rows, context, run } = await runStage('lora', { lora, learning_rate: { peak: 3e-2 } });
    expect(rows.at(-1)!.loss).toBeLessThan(rows[0]!.loss - 0.8);
    const checkpoint = files(run, 40);
    const adapter = openSafetensors(join(checkpoint, 'adapter', 'adapter_model.safetensors'));
    const shapes = Object.fromEntries([...adapter.tensors].map(([name, { shape }]) => [name, shape]));
    adapter.close();
    const module = 'base_model.model.model.layers.1.self_attn.q_proj';
    expect(shapes[`${module}.lora_A.weight`]).toEqual([4, 32]);
    expect(shapes[`${module}.lora_B.weight`]).toEqual([32, 4]);
    expect(shapes['base_model.model.model.embed_tokens.token_adapter.trainable_tokens_delta']).toEqual([2, 32]);
    expect(Object.keys(shapes)).toHaveLength(2 * 2 * 3 + 1);
    const said = JSON.parse(readFileSync(join(checkpoint, 'adapter', 'adapter_config.json'), 'utf8')) as object;
    expect(said).toMatchObject({
      peft_type: 'LORA',
      r: 4,
      lora_alpha: 8,
      target_modules: lora.targets,
      trainable_token_indices: { embed_tokens: [401, 402] },
    });
    const model = openSafetensors(join(checkpoint, 'model.safetensors'));
    expect([...model.tensors.keys()].some((name) => name.includes('lora'))).toBe(false);
    model.close();
    expect(context.kept.filter((path) => path.includes('adapter/'))).toHaveLength(2);
    expect(context.saidFacts['trained']).toBe(2 * (2 * 4 * 32 + 4 * (32 + 16) + 4 * (32 + 128)) + 2 * 32);
  });

  test('stopped and started again, on one rank and on two with ZeRO: the same bits', async () => {
    const over = { lora, steps: 12, checkpoint: { every: 5 } };
    const undisturbed = await runStage('lora-undisturbed', over);
    const stop = (c: ReturnType<typeof testContext>) => {
      c.progress = (step) => {
        if (step === 8) throw new Error('killed');
      };
    };
    await expect(runStage('lora-stopped', over, stop)).rejects.toThrow('killed');
    const resumed = await runStage('lora-stopped', over);
    expect(resumed.context.notices).toContain('toy-finetune goes on after step 5');
    expect(resumed.rows).toEqual(undisturbed.rows);
    const two = await runStage('lora-two', { ...over, ranks: 2, parallel: { zero: 2 } });
    expect(two.rows).toEqual(undisturbed.rows);
    const bytes = (run: string, file: string) => readFileSync(join(files(run, 12), file));
    for (const file of ['model.safetensors', 'adapter/adapter_model.safetensors', 'optimizer.safetensors'])
      for (const other of [resumed, two])
        expect(bytes(other.run, file).equals(bytes(undisturbed.run, file)), file).toBe(true);
  });

  test('a model in any folder can be the base, also one with adapters merged; its content is in the key', async () => {
    const before = await runStage('lora-base', { lora, learning_rate: { peak: 3e-2 } });
    const { run } = before;
    const from = files(run, 40);
    const { rows } = await runStage('from', { from, steps: 1, learning_rate: { peak: 1e-12 } }, (c) => {
      Object.assign(c, { inputs: {} });
    });
    expect(Math.abs(rows[0]!.validation_loss! - before.rows.at(-1)!.validation_loss!)).toBeLessThan(1e-5);
    const params = finetune.params({ name: 'x', finetune: section({ from }) });
    expect(JSON.stringify(finetune.units!(params))).not.toContain(from);
    expect(() => finetune.params({ name: 'x', finetune: section({ from: root }) })).toThrow('config.json');
  });

  test('tensor ranks and pipelines are refused before anything starts', async () => {
    const params = finetune.params({ name: 'toy', finetune: section({ lora, parallel: { tensor: 2 } }) });
    const context = testContext(join(root, 'lake'), inputs);
    await expect(Promise.resolve(finetune.run({ id: 'train', input: null }, params, context))).rejects.toThrow(
      'parallel: adapters on tensor 2 × pipeline 1 ranks',
    );
  });
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
    'no line is a conversation: none.jsonl:2 is no_messages',
  );
});

function testMkdir(path: string): string {
  mkdirSync(path, { recursive: true });
  return path;
}
