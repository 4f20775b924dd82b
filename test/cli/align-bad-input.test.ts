import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Terminal } from '../../cli/command.ts';
import { main } from '../../cli/main.ts';
import { sentences } from '../trainer/toy-lake.ts';

let folder = '';
const BASE = `name: toy
files: [{ path: docs.jsonl }]
tokenizer: { vocabulary: 300 }
pretrain: { model: { depth: 1, width: 32, heads: 4 }, sequence: 64, batch: 4, steps: 6, threads: 1 }
finetune: { data: chats.jsonl, steps: 4, batch: 2, threads: 1 }
`;
const pairs = Array.from({ length: 12 }, (_, i) => ({ prompt: `Who ${i}?`, chosen: 'The sea.', rejected: 'No.' }));
const turns = (role: string) => [
  { role: 'user', content: 'q' },
  { role, content: 'r' },
];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'garner-align-bad-'));
  const lines = (name: string, rows: unknown[]) =>
    writeFileSync(join(folder, name), rows.map((r) => `${typeof r === 'string' ? r : JSON.stringify(r)}\n`).join(''));
  lines(
    'docs.jsonl',
    sentences(200, 4).map((text, i) => ({ id: `d${i}`, text: `${text} ${text}` })),
  );
  lines('chats.jsonl', [
    ...pairs.map((p) => ({ prompt: p.prompt, completion: p.chosen })),
    { messages: [...turns('assistant').slice(0, 1), { role: 'assistant', content: '' }] },
    { messages: [...turns('tool_call'), { role: 'assistant', content: 'y' }] },
  ]);
  lines('pairs.jsonl', [
    ...pairs,
    { prompt: 'a', chosen: 'b' },
    { prompt: 'a', chosen: '', rejected: 'b' },
    { prompt: 'a', chosen: 'same', rejected: 'same' },
    'not json',
    { prompt: turns('tool'), chosen: 'c', rejected: 'd' },
    { prompt: turns('wizard'), chosen: 'c', rejected: 'd' },
  ]);
  lines('half.jsonl', [{ prompt: 'a', chosen: 'b' }]);
  lines(
    'prompts.jsonl',
    pairs.map((p) => ({ prompt: p.prompt })),
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
  const terminal = { stdin: Readable.from([]), stdout: stream('out'), stderr: stream('err') } as unknown as Terminal;
  const code = await main([...args, '--lake', join(folder, 'lake')], terminal);
  return { code, ...written };
}

/** Runs the base recipe with more sections. */
function run(more: string) {
  writeFileSync(join(folder, 'toy.yaml'), BASE + more);
  return garner('run', join(folder, 'toy.yaml'), '--workers', '0');
}

const decisions = async (stage: string) => {
  const { out } = await garner(
    'sql',
    `select rule, evidence from decisions where stage = '${stage}' order by all`,
    '--json',
  );
  return out
    .trim()
    .split('\n')
    .filter(Boolean)
    .map((l) => JSON.parse(l) as { rule: string; evidence: string });
};

test('half a pair, an empty answer, a tool and an unknown role are decisions with their lines; the rest is learned', async () => {
  const { code, err } = await run(`reward: { data: pairs.jsonl, batch: 4, steps: 3, threads: 1 }
dpo: { data: pairs.jsonl, batch: 4, steps: 3, threads: 1 }
`);
  expect(code).toBe(0);
  expect(err).toContain('half_a_pair 1');
  const expected = [
    { rule: 'empty_answer', evidence: 'pairs.jsonl:14' },
    { rule: 'half_a_pair', evidence: 'pairs.jsonl:13' },
    { rule: 'not_json', evidence: 'pairs.jsonl:16' },
    { rule: 'same_answer', evidence: 'pairs.jsonl:15' },
    { rule: 'template_has_no_tools', evidence: 'pairs.jsonl:17' },
    { rule: 'unknown_role', evidence: 'pairs.jsonl:18' },
  ];
  expect(await decisions('reward')).toEqual(expected);
  expect(await decisions('dpo')).toEqual(expected);
  expect(await decisions('finetune')).toEqual([
    { rule: 'no_answer', evidence: 'chats.jsonl:13' },
    { rule: 'template_has_no_tools', evidence: 'chats.jsonl:14' },
  ]);
});

test('a reward that throws leaves answers out, each with a decision, and loses nothing', async () => {
  const { code, err } = await run(`grpo:
  { prompts: prompts.jsonl, rewards: [{ name: exact }], batch: 4, answers: 2, tokens: 8, steps: 2, threads: 1,
    selection: { every: 1, prompts: 4, answers: 1 } }
`);
  expect(code).toBe(0);
  expect(err).toContain('16 answers have no reward and are left out (reward_threw 16)');
  const rows = await decisions('grpo');
  expect(rows).toHaveLength(16);
  expect(new Set(rows.map((r) => r.rule))).toEqual(new Set(['reward_threw']));
});

test.each([
  ['reward: { data: half.jsonl }', 'no line is a preference pair: half_a_pair 1'],
  ['dpo: { data: half.jsonl }', 'no line is a preference pair: half_a_pair 1'],
  ['reward: { data: none.jsonl }', 'no such file'],
  ['dpo: { data: pairs.jsonl, beta: 0 }', 'dpo.beta'],
  ['grpo: { prompts: prompts.jsonl, rewards: [{ name: model }], tokens: 8 }', 'there is no reward model'],
  ['grpo: { prompts: prompts.jsonl, rewards: [{ name: sums }], tokens: 8 }', 'is not one of its values'],
  ['grpo: { prompts: prompts.jsonl, rewards: [{ name: sum, weight: .nan }], tokens: 8 }', 'rewards.0.weight'],
  ['grpo: { prompts: prompts.jsonl, tokens: 64 }', 'answers of 64 tokens in rows of 64'],
])('%s is one sentence', async (more, words) => {
  const { code, err } = await run(`${more}\n`);
  const said = err.split('\n').filter((l) => l !== '' && !l.startsWith('{'));
  expect([code, said[0]]).toEqual([2, expect.stringContaining(words)]);
  expect(said.length).toBeLessThanOrEqual(2);
});
