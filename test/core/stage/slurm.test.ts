import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { arrayScript, resourceOptions, shellWord } from '../../../core/stage/slurm/script.ts';
import { ranges } from '../../../core/stage/slurm/executor.ts';
import { executorSection, resourcesOf } from '../../../core/stage/slurm/settings.ts';

const settings = (slurm: object) => executorSection.parse({ slurm }).slurm;

test.each([
  [[0], '0'],
  [[3, 0, 1, 2, 7], '0-3,7'],
  [[9, 5, 7], '5,7,9'],
])('elements %j → --array=%s', (elements, text) => expect(ranges(elements)).toBe(text));

test('a stage asks for its own resources, else for those of all', () => {
  const given = settings({ partition: 'cpu', memory: '4G', most: 8, stages: { dedup: { memory: '64G', cpus: 4 } } });
  expect(resourceOptions(resourcesOf(given, 'dedup'), null)).toEqual(
    expect.arrayContaining(['--partition=cpu', '--mem=64G', '--cpus-per-task=4', '--ntasks=1']),
  );
  expect(resourceOptions(resourcesOf(given, 'read'), null)).toEqual(
    expect.arrayContaining(['--partition=cpu', '--mem=4G', '--cpus-per-task=1']),
  );
});

test.each([
  { wishes: {}, asks: ['--nodes=1', '--ntasks=1', '--cpus-per-task=6'], starts: "\n  '/" },
  {
    wishes: { nodes: 2 },
    asks: ['--nodes=2', '--ntasks=3', '--cpus-per-task=2'],
    starts: '\n  srun --export=ALL --ntasks=3 --kill-on-bad-exit=1 --mpi=pmix ',
  },
  { wishes: { launcher: 'mpirun' }, asks: ['--nodes=1', '--ntasks=3'], starts: '\n  mpirun -n 3 ' },
  { wishes: { cpus: 16 }, asks: ['--cpus-per-task=16'], starts: "\n  '/" },
])('3 ranks of 2 threads with $wishes', ({ wishes, asks, starts }) => {
  const resources = resourcesOf(settings({ stages: { pretrain: wishes } }), 'pretrain');
  const shape = { ranks: 3, threads: 2 };
  expect(resourceOptions(resources, shape)).toEqual(expect.arrayContaining(asks));
  expect(arrayScript({ list: '/l', logs: '/g', fold: 1, tasks: 1, resources, shape })).toContain(starts);
});

test('paths with quotes and spaces stay one word', () => expect(shellWord("/it's a lake")).toBe(`'/it'\\''s a lake'`));

test.each([
  ['time: "1 hour"', { time: '1 hour' }],
  ['memory: much', { memory: 'much' }],
  ['an option that is none', { options: ['rm -rf'] }],
  ['an unknown key', { partitoin: 'x' }],
])('%s is refused', (_, slurm) => expect(executorSection.safeParse({ slurm }).success).toBe(false));

test('an element does its share of a list that is longer than an array may be, each task with its own log', () => {
  const folder = mkdtempSync(join(tmpdir(), 'garner-script-'));
  try {
    const list = join(folder, 'list.jsonl');
    const tasks = Array.from({ length: 8 }, (_, i) => JSON.stringify({ id: `part-${i}`, input: { a: '"id":"no"' } }));
    writeFileSync(list, `${['{"format":1}', ...tasks].join('\n')}\n`);
    const resources = settings({});
    const script = arrayScript({ list, logs: folder, fold: 3, tasks: 8, resources, shape: null });
    // The command is replaced by one that says what it was asked and fails for one task.
    const asked = script.replace(/'[^']*' '[^']*bin\/garner' task/, `sh -c 'echo "$1"; [ "$1" != 7 ]'`);
    const done = spawnSync('bash', ['-c', asked], {
      env: { ...process.env, SLURM_ARRAY_TASK_ID: '2' },
      encoding: 'utf8',
    });
    expect([done.status, done.stderr]).toEqual([1, '']);
    const logs = readdirSync(folder).filter((n) => n.endsWith('.log'));
    expect(logs.map((n) => [n, readFileSync(join(folder, n), 'utf8')])).toEqual([
      ['part-6.log', '6\n'],
      ['part-7.log', '7\n'],
    ]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
