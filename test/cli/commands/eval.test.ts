import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Terminal } from '../../../cli/command.ts';
import { main } from '../../../cli/main.ts';
import { toyModel } from '../../trainer/toy-model.ts';

const folder = mkdtempSync(join(tmpdir(), 'garner-eval-command-'));
beforeAll(async () => {
  await toyModel(join(folder, 'toy'));
  await toyModel(join(folder, 'base'), { base: true });
  const lines = [{ prompt: 'What is 1 + 2?' }, { prompt: 'Say yes', answer: 'yes' }, { prompt: 'Hello' }];
  writeFileSync(join(folder, 'prompts.jsonl'), lines.map((l) => `${JSON.stringify(l)}\n`).join(''));
});
afterAll(() => rmSync(folder, { recursive: true }));

async function run(...args: string[]) {
  const texts = { out: '', err: '' };
  const of = (name: 'out' | 'err') => {
    const stream = Object.assign(new PassThrough(), { isTTY: false, columns: 80 });
    stream.on('data', (chunk: Buffer) => (texts[name] += chunk.toString()));
    return stream;
  };
  const terminal = { stdin: new PassThrough(), stdout: of('out'), stderr: of('err') } as unknown as Terminal;
  const code = await main(['eval', ...args], terminal);
  return { code, ...texts };
}

test('a report as JSON and as a table; prompts that the checker cannot judge are counted', async () => {
  const prompts = ['--prompts', join(folder, 'prompts.jsonl'), '--tokens', '8', '-n', '2'];
  const json = await run(join(folder, 'toy'), ...prompts, '--json');
  expect(json.code).toBe(0);
  const report = JSON.parse(json.out) as Record<string, unknown>;
  expect(report).toMatchObject({ model: 'toy', prompts: 1, samples: 2, unjudged: 2 });
  expect(Object.keys(report['pass'] as object)).toEqual(['1', '2']);
  const table = await run(join(folder, 'toy'), ...prompts);
  expect(table.out).toMatch(
    /^toy: 2 answers to each prompt\n {2}prompts +1\n[^]*pass@2 +\d+\.\d %\n[^]*not judged +2\n$/,
  );
});

test.each([
  [['toy', '--checker', 'sums'], /no checker is called "sums"\n {2}did you mean "sum"\?/],
  [['toy', '--prompts', 'none.jsonl'], /there is no file none\.jsonl/],
  [['toy', '--tokens', '300'], /no prompt leaves room for 300 tokens/],
  [['base'], /not fine-tuned on conversations/],
  [['toy', '--best-of', 'toy'], /this is no reward model/],
])('%j is a sentence and exit code 2', async ([model, ...args], sentence) => {
  const where = (a: string) => (a === 'toy' || a === 'base' ? join(folder, a) : a);
  const { code, err } = await run(where(model!), '--most', '1', ...args.map(where));
  expect(code).toBe(2);
  expect(err).toMatch(sentence);
});
