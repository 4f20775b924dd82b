import { fork } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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

type Moment = ['step' | 'write' | 'rename' | 'after', number];

/** Runs the order in a process that kills itself at a moment, counted from its own start; how it ended. */
const runOrder = (lake: string, kill?: Moment): Promise<string> =>
  new Promise((resolve) => {
    const where = [join(packageRoot, 'dist'), join(lake, 'order.json')];
    const child = fork(script, [...where, ...(kill ?? []).map(String)], { execArgv: [] });
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

test.concurrent('killed at counted moments and started again: the same losses and the same files to the last bit', async () => {
  const undisturbed = await lakeWithOrder('undisturbed');
  expect(await runOrder(undisturbed)).toBe('exit 0');
  const lake = await lakeWithOrder('killed');
  // In a step, in a row that is torn, in the weights, in the optimizer's state, before a checkpoint's files and before itself.
  const moments: Moment[] = [
    ['step', 3],
    ['write', 5],
    ['rename', 2],
    ['write', 40],
    ['step', 7],
    ['rename', 5],
    ['write', 90],
    ['step', 1],
    ['rename', 9],
    ['write', 130],
  ];
  for (const moment of moments) expect([moment, await runOrder(lake, moment)]).toEqual([moment, 'SIGKILL']);
  // What is left are fewer steps than these: it goes on, and does not begin again.
  expect(await runOrder(lake, ['step', 31])).toBe('exit 0');
  expect((await rowsOf(lake)).map((r) => r.loss)).toEqual((await rowsOf(undisturbed)).map((r) => r.loss));
  expect(outputs(lake)).toEqual(outputs(undisturbed));
});

test.concurrent('killed before each rename of its end: the same files', async () => {
  const undisturbed = await lakeWithOrder('short', { steps: 3 });
  expect(await runOrder(undisturbed)).toBe('exit 0');
  const lake = await lakeWithOrder('short-killed', { steps: 3 });
  let kills = 0;
  while (kills < 30 && (await runOrder(lake, ['rename', kills + 1])) === 'SIGKILL') kills++;
  expect(kills).toBeGreaterThan(4);
  expect(kills).toBeLessThan(30);
  expect(outputs(lake)).toEqual(outputs(undisturbed));
});

test.concurrent('two ranks: the losses and weights of one, and after a kill the same files, all to the last bit', async () => {
  const long = { steps: 200, checkpoint: { every: 20, keep: 2 } };
  const one = await lakeWithOrder('one', long);
  const two = await lakeWithOrder('two', { ...long, ranks: 2 });
  const killed = await lakeWithOrder('two-killed', { ...long, ranks: 2 });
  expect(await runOrder(one)).toBe('exit 0');
  expect(await runOrder(two)).toBe('exit 0');
  const files = outputs(one);
  expect(await rowsOf(two)).toEqual(await rowsOf(one));
  for (const [name, content] of Object.entries(outputs(two)))
    if (/model|optimizer|samples|steps/.test(name)) expect([name, content === files[name]]).toEqual([name, true]);
  for (const step of [50, 120]) expect(await runOrder(killed, ['after', step])).toBe('SIGKILL');
  expect(await runOrder(killed)).toBe('exit 0');
  expect(outputs(killed)).toEqual(outputs(two));
});
