import { spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { packageRoot } from '../../../../core/root.ts';
import type { GarnerError } from '../../../../core/errors.ts';
import { RanksEnded, runRanks } from '../../../../trainer/parallel/launch/launcher.ts';
import { nextMesh, withRestarts } from '../../../../trainer/parallel/launch/restart.ts';
import type { Mesh } from '../../../../trainer/parallel/mesh.ts';
import { alive, allGone, pidsIn } from './processes.ts';

process.env['GARNER_TEST_DIST'] = join(packageRoot, 'dist');
const module = join(packageRoot, 'test/trainer/parallel/launch/rank.mjs');

let folder = '';
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'garner-ranks-'))));
afterEach(() => rmSync(folder, { recursive: true }));

/** Runs ranks to their end; what they said and how they ended. */
async function launch(ranks: number, order: object, fds: number[] = []) {
  const said = { lines: [] as string[], notices: [] as string[], progress: 0 };
  const started = performance.now();
  const error = (await runRanks({
    module,
    ranks,
    order: { folder, ...order },
    fds,
    reports: { progress: (done) => void (said.progress = done), notice: (text) => void said.notices.push(text) },
    write: (line) => void said.lines.push(line),
    explain: () => ['rank 1 did not arrive'],
  }).catch((e: unknown) => e)) as GarnerError | undefined;
  return { ...said, error, seconds: (performance.now() - started) / 1000 };
}

test('all ranks run, share descriptors, and their lines carry their rank', async () => {
  const fd = openSync(join(folder, 'shared'), 'w+');
  const { error, lines, notices, progress } = await launch(3, { say: ['hello', '\u001B[2Jerased'], steps: 2 }, [fd]);
  closeSync(fd);
  expect(error).toBeUndefined();
  expect(readFileSync(join(folder, 'shared'), 'utf8')).toBe('012');
  for (const rank of [0, 1, 2]) {
    expect(lines).toContain(`[rank ${rank}] hello`);
    expect(lines).toContain(`[rank ${rank}] [2Jerased`);
  }
  expect(notices).toEqual(['3 ranks, 1 descriptors']);
  expect(progress).toBe(2);
  expect(await allGone(await pidsIn(folder, 3), 1)).toBe(true);
});

test.each([
  [2, 'kill', 'rank 2 of 4 ended (SIGKILL), and with it the training', 'for want of memory'],
  [0, 'kill', 'rank 0 of 4 ended (SIGKILL), and with it the training', 'rank 1 did not arrive'],
  [1, 'exit', 'rank 1 of 4 ended (exit code 3)', 'last checkpoint'],
  [3, 'throw', 'rank 3 of 4 ended (a wire is loose)', 'last checkpoint'],
  [1, 'words', 'rank 1 of 4 ended (SIGABRT)', '[rank 1] terminate called: out of something'],
  [0, 'garner', '/data: the disk is full', 'free some space'],
])('rank %d ends (%s): all end, and the error names it', async (rank, how, what, hint) => {
  const { error, seconds } = await launch(4, { steps: 2, die: { rank, step: 2, how }, block: true });
  expect(error!.message).toContain(what);
  expect(error!.hint).toContain(hint);
  expect(error instanceof RanksEnded).toBe(how !== 'garner');
  expect(seconds).toBeLessThan(10);
  expect(await allGone(await pidsIn(folder, 4), 1)).toBe(true);
});

test('a rank that hangs is named by those that waited for it', async () => {
  const { error } = await launch(3, { lose: 1, block: true });
  expect(error!.message).toBe('rank 1 did not come to barrier #3, and with it the training ended');
  expect(error!.hint).not.toContain('want of memory');
  expect((error as RanksEnded).rank).toBe(1);
});

test('a module that is not there is an error, not a wait', async () => {
  const error = await runRanks({
    module: join(folder, 'nothing.mjs'),
    ranks: 2,
    order: {},
    fds: [],
    reports: { progress() {}, notice() {} },
    write() {},
  }).catch((e: unknown) => e as Error);
  expect(String(error)).toContain('of 2 ended (exit code 1)');
});

/** The same in a process of its own, which can be killed. */
function start(ranks: number, order: object, env: Record<string, string> = {}) {
  const launcher = spawn(
    process.execPath,
    [
      join(packageRoot, 'test/trainer/parallel/launch/launch.mjs'),
      JSON.stringify({ module, ranks, order: { folder, ...order } }),
    ],
    { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } },
  );
  let text = '';
  for (const stream of [launcher.stdout, launcher.stderr]) stream.on('data', (chunk: Buffer) => void (text += chunk));
  return {
    launcher,
    text: () => text,
    ended: new Promise<number | null>((resolve) => launcher.once('close', resolve)),
  };
}

test('a killed launcher leaves no rank, even one that hears nothing', async () => {
  const { launcher, ended } = start(2, { block: true });
  const pids = await pidsIn(folder, 2);
  expect(pids.every(alive)).toBe(true);
  launcher.kill('SIGKILL');
  await ended;
  expect(await allGone(pids)).toBe(true);
});

test.each([
  ['the launcher', 'SIGTERM'],
  ['the launcher', 'SIGUSR1'],
  ['rank 0', 'SIGTERM'],
] as const)('%s hears %s: a checkpoint, and the exit code that asks for a requeue', async (who, signal) => {
  const { launcher, text, ended } = start(2, { steps: 400 });
  const pids = await pidsIn(folder, 2);
  if (who === 'rank 0') for (const pid of pids) process.kill(pid, signal);
  else launcher.kill(signal);
  expect(await ended).toBe(75);
  expect(text()).toMatch(/toy was stopped after step \d+, with a checkpoint/);
  expect(pids.some(alive)).toBe(false);
});

test('a signal that comes while the ranks begin is kept for them', async () => {
  const { launcher, text, ended } = start(2, { steps: 400 }, { GARNER_TEST_SLOW: folder });
  // The launcher hears it, the ranks do not yet.
  await pidsIn(folder, 2);
  launcher.kill('SIGTERM');
  expect(await ended).toBe(75);
  expect(text()).toMatch(/toy was stopped after step 1, with a checkpoint/);
});

const dataOnly = (ranks: number): Mesh | null => (4 % ranks === 0 ? { data: ranks, tensor: 1, pipeline: 1 } : null);

test('a restart has fewer ranks where the mesh allows', async () => {
  const notices: string[] = [];
  const meshes: number[] = [];
  const mesh = await withRestarts(
    { restarts: 2, mesh: dataOnly(4)!, meshFor: dataOnly, notice: (text) => void notices.push(text) },
    async ({ data }) => {
      meshes.push(data);
      const { error } = await launch(data, {
        steps: 3,
        die: { rank: 1, step: 2, how: 'kill' },
        once: join(folder, 'died'),
      });
      if (error) throw error;
    },
  );
  expect(meshes).toEqual([4, 2]);
  expect(mesh.data).toBe(2);
  expect(notices[0]).toBe(
    'rank 1 of 4 ended (SIGKILL), and with it the training; it goes on from the last checkpoint with data 2 (1 more restart)',
  );
});

test('restarts end, and errors of a person’s are none', async () => {
  let attempts = 0;
  const failing = (how: string) =>
    withRestarts({ restarts: 1, mesh: dataOnly(2)!, meshFor: () => null, notice() {} }, async ({ data }) => {
      attempts++;
      const { error } = await launch(data, { steps: 1, die: { rank: 0, step: 1, how } });
      if (error) throw error;
    });
  await expect(failing('exit')).rejects.toThrow('rank 0 of 2 ended');
  expect(attempts).toBe(2);
  await expect(failing('garner')).rejects.toThrow('the disk is full');
  expect(attempts).toBe(3);
});

test('data ranks go first', () => {
  const meshFor = (ranks: number) => (ranks % 4 === 0 ? { data: ranks / 4, tensor: 2, pipeline: 2 } : null);
  expect(nextMesh({ data: 3, tensor: 2, pipeline: 2 }, meshFor)).toEqual({ data: 2, tensor: 2, pipeline: 2 });
  expect(nextMesh({ data: 1, tensor: 2, pipeline: 2 }, meshFor)).toEqual({ data: 1, tensor: 2, pipeline: 2 });
});
