import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Terminal } from '../../cli/command.ts';
import { main } from '../../cli/main.ts';
import { sentences } from '../trainer/toy-lake.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'garner-train-'));
  const lines = sentences(300, 4).map((text, i) =>
    JSON.stringify({ id: `d${i}`, text: `${text} ${text}`, language: i % 3 === 2 ? 'zh' : 'en' }),
  );
  writeFileSync(join(folder, 'docs.jsonl'), `${lines.join('\n')}\n`);
  writeFileSync(
    join(folder, 'toy.yaml'),
    `name: toy
files: [{ path: docs.jsonl }]
mix: { validation: { share: 0.1 } }
tokenizer: { vocabulary: 300 }
pretrain:
  model: { depth: 1, width: 32, heads: 4 }
  sequence: 32
  batch: 4
  steps: 8
  learning_rate: { peak: 1.0e-2 }
  threads: 1
finetune: { steps: 3, batch: 4, sequence: 32, threads: 1 }
`,
  );
});
afterAll(() => rmSync(folder, { recursive: true }));

async function garner(...args: string[]) {
  const written = { out: '', err: '' };
  const stream = (to: 'out' | 'err') =>
    Object.assign(
      new Writable({
        write(chunk: Buffer, _encoding, done) {
          written[to] += chunk.toString();
          done();
        },
      }),
      { isTTY: false, columns: 100 },
    );
  const terminal = { stdin: Readable.from(['']), stdout: stream('out'), stderr: stream('err') } as unknown as Terminal;
  const code = await main([...args, '--lake', join(folder, 'lake')], terminal);
  return { code, ...written };
}

const train = (...more: string[]) => garner('train', join(folder, 'toy.yaml'), '--workers', '0', ...more);

test('garner train trains, says what came of it, and garner sample writes', async () => {
  const { code, out, err } = await train();
  expect([code, err.includes('garner:')]).toEqual([0, false]);
  for (const part of [
    'toy-pretrain',
    'toy-finetune',
    'bits per byte',
    'loss [nats a token] by step',
    'garner sample toy-finetune',
  ])
    expect(out).toContain(part);
  const again = await train('--json');
  const runs = again.out
    .trim()
    .split('\n')
    .map((l) => JSON.parse(l) as { run: string; steps: number });
  expect(runs.map((r) => [r.run, r.steps])).toEqual([
    ['toy-pretrain', 8],
    ['toy-finetune', 3],
  ]);

  const plain = ['sample', 'toy-pretrain', '--prompt', 'The whale', '--tokens', '12'];
  const one = await garner(...plain);
  expect(one.out.startsWith('The whale')).toBe(true);
  expect((await garner(...plain)).out).toBe(one.out);
  expect((await garner(...plain, '--seed', '2')).out).not.toBe(one.out);
  const two = await garner(...plain, '--count', '2', '--json');
  const rows = two.out
    .trim()
    .split('\n')
    .map((l) => JSON.parse(l) as { prompt: string; text: string; tokens: number });
  expect(rows).toHaveLength(2);
  expect(`The whale${rows[0]!.text}\n`).toBe(one.out);
  expect(rows[1]!.text).not.toBe(rows[0]!.text);
  // A fine-tuned model answers: its question is not repeated.
  expect((await garner('sample', '--prompt', 'Hello!', '--tokens', '3')).out).not.toContain('Hello!');
});

test('--where trains on a snapshot of its own, and the other one stays', async () => {
  const english = JSON.parse(
    (await train('--where', "language = 'en'", '--steps', '4', '--json')).out.split('\n')[0]!,
  ) as { run: string; key: string };
  expect(english.run).toMatch(/^toy-[0-9a-f]{8}-pretrain$/);
  const snapshots = await garner('sql', '--json', 'select name from snapshots');
  expect(snapshots.out).toContain(english.run.replace('-pretrain', ''));
  const all = JSON.parse((await train('--json')).out.split('\n')[0]!) as { run: string; key: string };
  expect([all.run, all.key === english.key]).toEqual(['toy-pretrain', false]);
  const bad = await train('--where', 'no such column');
  expect(bad.code).toBe(2);
});

test('--ranks 2 trains to the same losses', async () => {
  const loss = async (...more: string[]) =>
    (JSON.parse((await train('--json', '--steps', '5', ...more)).out.split('\n')[0]!) as { loss: { last: number } })
      .loss.last;
  expect(await loss('--ranks', '2')).toBe(await loss());
});

test.each([
  [['train', 'toy.yaml', '--ranks', '3'], 'ranks'],
  [['train', 'toy.yaml', '--steps', '0'], '--steps is "0"'],
  [['sample', 'toy-pretrian'], 'did you mean "toy-pretrain"?'],
  [['sample', 'toy-pretrain', '--chat', '--prompt', 'x'], 'was not fine-tuned on conversations'],
  [['sample', 'toy-finetune', '--chat', '--plain'], '--chat and --plain were both given'],
  [['train', 'toy.yaml', '--where', 'words > 1e9'], 'no document was selected'],
  [['train', 'toy.yaml', '--where', 'false) or (true'], 'more than one SQL expression'],
  [['train', 'toy.yaml', '--where', 'wrds > 3'], 'did you mean "words"?'],
  [['sample', 'toy-pretrain', '--step', '7'], 'its checkpoints: 5'],
  [['sample', 'toy-pretrain', '--top-p', '2'], 'a number from 0 to 1 is expected'],
  [['sample', 'toy-pretrain', '--prompt', 'word '.repeat(99)], 'tokens, the model takes 32'],
])('garner %j is a sentence and exit code 2', async (args, message) => {
  const { code, err } = await garner(...args.map((a) => (a === 'toy.yaml' ? join(folder, a) : a)));
  expect(err).toContain(message);
  expect(code).toBe(2);
});
