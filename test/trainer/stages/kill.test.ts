import { fork } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readTable } from '../../../core/lake/parquet.ts';
import { steps as stepsTable, type Step } from '../../../core/records/index.ts';
import { packageRoot } from '../../../core/root.ts';
import { toyLake, toyPretrain } from '../toy-lake.ts';

const script = join(packageRoot, 'test/trainer/stages/run-task.mjs');
let root = '';
beforeAll(() => void (root = mkdtempSync(join(tmpdir(), 'garner-kill-'))));
afterAll(() => rmSync(root, { recursive: true }));

/** A lake with an order for a pretraining of 40 steps. */
async function lakeWithOrder(name: string, over: object = {}): Promise<string> {
  const lake = join(root, name);
  const order = {
    lake,
    stage: 'pretrain',
    module: 'trainer/stages/pretrain',
    task: { id: 'train', input: null },
    params: toyPretrain({ steps: 40, ...over }),
    inputs: await toyLake(lake),
    keys: { pretrain: 'key' },
  };
  writeFileSync(join(lake, 'order.json'), JSON.stringify(order));
  return lake;
}

/** Runs the order; `until` is told each step and ends the process with SIGKILL by answering true. */
const runOrder = (lake: string, until: (step: number) => boolean | Promise<boolean>): Promise<string> =>
  new Promise((resolve) => {
    const child = fork(script, [join(packageRoot, 'dist'), join(lake, 'order.json')], { execArgv: [] });
    child.on('message', (message) => {
      if (typeof message === 'number')
        void Promise.resolve(until(message)).then((kill) => kill && child.kill('SIGKILL'));
    });
    child.on('exit', (code, signal) => resolve(signal ?? `exit ${code}`));
  });

/** Everything that counts: the task's marker and all files of the run but timings. */
function outputs(lake: string): Record<string, string> {
  const folders = [join(lake, 'runs'), join(lake, 'stages/pretrain/key/tasks')];
  const files = folders.flatMap((folder) =>
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((e) => e.isFile() && e.name !== 'timing.jsonl')
      .map((e) => join(e.parentPath, e.name)),
  );
  return Object.fromEntries(files.toSorted().map((f) => [f.slice(lake.length), readFileSync(f).toString('base64')]));
}

const rowsOf = async (lake: string): Promise<Step[]> => {
  const rows: Step[] = [];
  for await (const batch of readTable([join(lake, 'runs/key/steps.parquet')], stepsTable)) rows.push(...batch);
  return rows;
};

test('killed at 10 moments and started again: the same losses and the same files to the last bit', async () => {
  const undisturbed = await lakeWithOrder('undisturbed');
  expect(await runOrder(undisturbed, () => false)).toBe('exit 0');
  const lake = await lakeWithOrder('killed');
  let kills = 0;
  let state = 12345;
  const random = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
  for (let target = 2; kills < 10; target = Math.min(40, target + 4)) {
    // Some steps and a random moment within one: in a kernel, an append, a checkpoint, the last files.
    const delay = random() * 15;
    const end = await runOrder(lake, async (step) => {
      if (step !== target) return false;
      await sleep(delay);
      return true;
    });
    if (end === 'exit 0') break;
    expect(end).toBe('SIGKILL');
    kills++;
  }
  expect(kills).toBeGreaterThanOrEqual(8);
  expect(await runOrder(lake, () => false)).toBe('exit 0');
  expect((await rowsOf(lake)).map((r) => r.loss)).toEqual((await rowsOf(undisturbed)).map((r) => r.loss));
  expect(outputs(lake)).toEqual(outputs(undisturbed));
});

test('two ranks: the losses and weights of one, and after a kill the same files, all to the last bit', async () => {
  const one = await lakeWithOrder('one');
  const two = await lakeWithOrder('two', { ranks: 2 });
  const killed = await lakeWithOrder('two-killed', { ranks: 2 });
  expect(await runOrder(one, () => false)).toBe('exit 0');
  expect(await runOrder(two, () => false)).toBe('exit 0');
  const files = outputs(one);
  expect(await rowsOf(two)).toEqual(await rowsOf(one));
  for (const [name, content] of Object.entries(outputs(two)))
    if (/model|optimizer|samples|steps/.test(name)) expect([name, content === files[name]]).toEqual([name, true]);
  for (const at of [7, 23, 40]) await runOrder(killed, (step) => step === at);
  expect(await runOrder(killed, () => false)).toBe('exit 0');
  expect(outputs(killed)).toEqual(outputs(two));
});
