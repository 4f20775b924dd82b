import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { packageRoot } from '../../../core/root.ts';
import { launchRanks, type Ranks } from '../../../trainer/parallel/launch.ts';

const child = join(packageRoot, 'test/trainer/parallel/child.mjs');
const dist = join(packageRoot, 'dist');

let open: Ranks | undefined;
afterEach(() => open?.close());
const launch = (ranks: number, gradients: number, order: object): Ranks =>
  (open = launchRanks(child, ranks, gradients, { dist, ...order }));

const value = (rank: number, i: number, round: number) => Math.fround(Math.sin(i + 1) * 10 ** (rank + (i % 7)) + round);

test.each([
  [2, 1],
  [2, 5000],
  [3, 12_345],
])('%d ranks add %d gradients in the order of ranks, to the last bit', (ranks, n) => {
  const { collective } = launch(ranks, n, { rounds: 20 });
  for (let round = 0; round < 20; round++) {
    collective.gradients!.forEach((_, i, g) => (g[i] = value(0, i, round)));
    collective.sumGradients();
    for (let i = 0; i < n; i++) {
      let sum = value(0, i, round);
      for (let r = 1; r < ranks; r++) sum = Math.fround(sum + value(r, i, round));
      if (collective.gradients![i] !== sum) expect([round, i, collective.gradients![i]]).toEqual([round, i, sum]);
    }
    let [whole, thirds] = [round, 1 / 3];
    for (let r = 1; r < ranks; r++) [whole, thirds] = [whole + r + round, thirds + 1 / (r + 3)];
    expect(collective.sum([round, 1 / 3])).toEqual([whole, thirds]);
  }
});

test('a rank that is killed ends the others’ wait, with a sentence', async () => {
  const ranks = launch(3, 100, { rounds: 10, dieAt: { rank: 2, round: 3, how: 'kill' } });
  const rounds = () => {
    for (let round = 0; round < 10; round++) {
      ranks.collective.sumGradients();
      ranks.collective.sum([0, 0]);
    }
  };
  const started = Date.now();
  const error = await ranks.explain(grab(rounds));
  expect(String(error)).toContain('rank 2 of 3 ended (SIGKILL), and with it the training');
  expect(Date.now() - started).toBeLessThan(5000);
});

test('a rank that fails is quoted', async () => {
  const ranks = launch(2, 100, { rounds: 10, dieAt: { rank: 1, round: 0, how: 'fail' } });
  const error = await ranks.explain(grab(() => ranks.collective.barrier()));
  expect(String(error)).toContain('the disk is full');
});

test('a rank that never enters is seen', async () => {
  const ranks = launch(2, 100, { dist: '/nowhere', rounds: 1 });
  const error = await ranks.explain(grab(() => ranks.collective.barrier()));
  expect(String(error)).toContain('rank 1 of 2 ended');
});

test('ranks end when the process that started them is killed', async () => {
  const parent = spawn(
    process.execPath,
    [
      '--input-type=module',
      '-e',
      `const { launchRanks } = await import(${JSON.stringify(`file://${dist}/trainer/parallel/launch.js`)});
       const ranks = launchRanks(${JSON.stringify(child)}, 2, 10, ${JSON.stringify({ dist, rounds: 0, stay: true })});
       await new Promise((r) => setTimeout(r, 500));
       console.log('up');
       setInterval(() => {}, 1000);`,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  await new Promise((resolve) => parent.stdout.once('data', resolve));
  const mine = processes().filter((p) => p.parent === parent.pid);
  expect(mine).toHaveLength(1);
  parent.kill('SIGKILL');
  const alive = () => processes().some((p) => p.id === mine[0]!.id && p.state !== 'Z');
  for (let i = 0; i < 40 && alive(); i++) await sleep(50);
  expect(alive()).toBe(false);
});

/** The processes of this machine, from /proc. */
const processes = () =>
  readdirSync('/proc').flatMap((name) => {
    try {
      const [, state, parent] = /^\d+ \(.*\) (\S) (\d+)/s.exec(readFileSync(`/proc/${name}/stat`, 'utf8'))!;
      return [{ id: name, state, parent: Number(parent) }];
    } catch {
      return [];
    }
  });

const grab = (action: () => void): unknown => {
  try {
    action();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
};
