import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Terminal } from '../../cli/command.ts';
import { main } from '../../cli/main.ts';
import { packageRoot } from '../../core/root.ts';
import { sentences } from '../trainer/toy-lake.ts';
import { alive, allGone } from '../trainer/parallel/launch/processes.ts';

let folder = '';
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'garner-ranks-cli-'));
  const lines = sentences(200, 4).map((text, i) =>
    JSON.stringify({ id: `d${i}`, text: `${text} ${text}`, language: 'en' }),
  );
  writeFileSync(join(folder, 'docs.jsonl'), `${lines.join('\n')}\n`);
  writeFileSync(
    join(folder, 'toy.yaml'),
    `name: toy
files: [{ path: docs.jsonl }]
mix: { validation: { share: 0.1 } }
tokenizer: { vocabulary: 300 }
pretrain:
  model: { depth: 2, width: 32, heads: 4 }
  sequence: 32
  batch: 4
  micro_batch: 1
  threads: 1
`,
  );
  // What all of them train on.
  const { code, err } = await start('--steps', '1', '--run', 'first').ended;
  expect([code, code === 0 ? '' : err]).toEqual([0, '']);
});
afterAll(() => rmSync(folder, { recursive: true }));

const clean = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('GARNER_')));

function startWith(env: Record<string, string>, ...options: string[]) {
  const child: ChildProcess = spawn(
    process.execPath,
    [
      join(packageRoot, 'test/cli/garner.mjs'),
      join(packageRoot, 'dist'),
      'train',
      join(folder, 'toy.yaml'),
      '--lake',
      join(folder, 'lake'),
      '--workers',
      '1',
      '--wait',
      '--oversubscribe',
      '--json',
      ...options,
    ],
    { env: { ...clean, ...env } },
  );
  let [out, err] = ['', ''];
  child.stdout!.on('data', (chunk: Buffer) => void (out += chunk));
  child.stderr!.on('data', (chunk: Buffer) => void (err += chunk));
  const ended = new Promise<{ code: number | null; out: string; err: string }>((resolve) =>
    child.once('close', (code) => resolve({ code, out, err })),
  );
  /** Waits for a text on standard error. */
  const says = async (text: string) => {
    for (let i = 0; i < 800 && !err.includes(text); i++) await sleep(25);
    expect(err).toContain(text);
  };
  return { child, ended, says };
}
const start = (...options: string[]) => startWith({}, ...options);

/** Processes below one, from /proc. */
function below(pid: number): number[] {
  const children = readdirSync('/proc').flatMap((name) => {
    try {
      const [, parent] = /^\d+ \(.*\) \S (\d+)/s.exec(readFileSync(`/proc/${name}/stat`, 'utf8'))!;
      return Number(parent) === pid ? [Number(name)] : [];
    } catch {
      return [];
    }
  });
  return children.flatMap((child) => [child, ...below(child)]);
}
const ranksOf = (pid: number) =>
  below(pid).filter((p) => readFileSync(`/proc/${p}/cmdline`, 'utf8').includes('stages/rank.js'));

/** The same in this process, for what starts nothing. */
async function here(...options: string[]) {
  const written = { out: '', err: '' };
  const stream = (to: 'out' | 'err') =>
    Object.assign(new Writable({ write: (chunk: Buffer, _, done) => ((written[to] += chunk.toString()), done()) }), {
      isTTY: false,
    });
  const terminal = { stdin: process.stdin, stdout: stream('out'), stderr: stream('err') } as unknown as Terminal;
  const code = await main(['train', join(folder, 'toy.yaml'), '--oversubscribe', ...options], terminal);
  return { code, ...written };
}

test('--dry-run shows rank, place, host and threads', async () => {
  const { code, out } = await here('--mesh', 'data=2,tensor=2,pipeline=2', '--dry-run');
  expect(code).toBe(0);
  const rows = out
    .trim()
    .split('\n')
    .slice(2)
    .map((line) => line.trim().split(/\s+/).slice(0, 4).map(Number));
  expect(rows).toEqual(Array.from({ length: 8 }, (_, r) => [r, (r >> 1) & 1, r & 1, r >> 2]));
});

test.each([
  [['--ranks', '6', '--mesh', 'tensor=4'], '6 ranks = data 1.50 × tensor 4 × pipeline 1'],
  [['--ranks', '4', '--mesh', 'data=1,tensor=2'], '4 ranks, but data 1 × tensor 2 × pipeline 1 = 2'],
  [['--mesh', 'pipeline=3'], '2 layers = pipeline 3 × chunks 1 × 0.67'],
  [['--mesh', 'tensor=3'], '4 heads over 3 ranks'],
  [['--ranks', '3'], 'a batch of 4 for 3 data ranks'],
  [['--mesh', 'layers=2'], '"layers=2" is no axis and size'],
])('%j is refused before anything runs', async (options, says) => {
  const { code, err } = await here(...options);
  expect(err).toContain(says);
  expect([code, err.trim().split('\n').length <= 3]).toEqual([2, true]);
});

test('SIGTERM: a checkpoint, code 75; a killed rank: fewer ranks go on; nothing is left', async () => {
  const options = ['--ranks', '2', '--restarts', '1', '--steps', '3000000', '--run', 'long'];
  const first = start(...options);
  await first.says('"event":"progress"');
  first.child.kill('SIGTERM');
  const { code, err } = await first.ended;
  const [, step] = /long was stopped after step (\d+), with a checkpoint/.exec(err) ?? [];
  expect([code, Number(step) > 0]).toEqual([75, true]);

  const second = start(...options);
  await second.says(`long goes on after step ${step}`);
  await second.says('"event":"progress"');
  const ranks = ranksOf(second.child.pid!);
  expect(ranks).toHaveLength(2);
  process.kill(ranks[0]!, 'SIGKILL');
  await second.says('goes on from the last checkpoint with one rank (the last restart)');
  for (let i = 0; i < 200 && ranksOf(second.child.pid!).length !== 1; i++) await sleep(25);
  const all = below(second.child.pid!);
  expect(ranks.some(alive)).toBe(false);
  second.child.kill('SIGKILL');
  expect(await allGone(all)).toBe(true);
});

test('two processes with torchrun’s variables train as two of garner’s own, and only rank 0 speaks', async () => {
  const torchrun = (rank: number) =>
    startWith({ RANK: `${rank}`, WORLD_SIZE: '2', MASTER_ADDR: 'localhost' }, '--steps', '5', '--run', 'torchrun')
      .ended;
  const [zero, one] = await Promise.all([torchrun(0), torchrun(1)]);
  expect([zero.code, one]).toEqual([0, { code: 0, out: '', err: '' }]);
  const own = await start('--ranks', '2', '--steps', '5', '--run', 'own').ended;
  const lossOf = (out: string) => (JSON.parse(out.split('\n')[0]!) as { loss: object }).loss;
  expect(lossOf(own.out)).toEqual(lossOf(zero.out));
});
