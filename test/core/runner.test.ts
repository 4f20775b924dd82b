import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { GarnerError } from '../../core/errors.ts';
import { openLake } from '../../core/lake/lake.ts';
import { lockLake } from '../../core/lake/lock.ts';
import { silent } from '../../core/progress.ts';
import { inProcess, plan, run, type AnyStage, type Executor } from '../../core/stage/index.ts';
import { toyStages } from './toy.ts';

let lake = '';
beforeEach(async () => {
  lake = await openLake(mkdtempSync(join(tmpdir(), 'garner-runner-')));
});
afterEach(() => rmSync(lake, { recursive: true, force: true }));

const recipe = { name: 'toy', numbers: 10, parts: 3, factor: 5 };
const start = (over: Partial<typeof recipe> = {}, stages = toyStages(), executor: Executor = inProcess()) =>
  run({ lake, recipe: { ...recipe, ...over }, stages, executor, progress: silent });

/** Every file of the lake but timings, with its content. */
function files(folder = lake): Record<string, string> {
  const all = readdirSync(folder, { recursive: true, withFileTypes: true }).filter(
    (e) => e.isFile() && !['timing.json', '.lock'].includes(e.name),
  );
  return Object.fromEntries(
    all
      .map((e) => join(e.parentPath, e.name))
      .toSorted()
      .map((p) => [p.slice(folder.length), readFileSync(p, 'utf8')]),
  );
}

test('a second run reuses everything and changes no byte', async () => {
  const first = await start();
  expect(first.map((r) => [r.stage, r.counts['numbers']])).toEqual([
    ['make', 10],
    ['multiply', 10],
  ]);
  const before = files();
  const second = await start();
  expect(second.flatMap((r) => r.units.map((u) => u.reused))).toEqual([true, true, true]);
  expect(files()).toEqual(before);
});

test('a changed parameter re-runs exactly the unit that depends on it', async () => {
  await start();
  const reports = await start({ factor: 7 });
  expect(reports.flatMap((r) => r.units.map((u) => `${u.name} ${u.reused ? 'reused' : 'made'}`))).toEqual([
    'make reused',
    'by2 reused',
    'by7 made',
  ]);
});

test('plan says beforehand what run then does', async () => {
  await start();
  const foreseen = plan({ lake, recipe: { ...recipe, factor: 7 }, stages: toyStages() });
  const done = await start({ factor: 7 });
  expect(foreseen.map((r) => r.units)).toEqual(done.map((r) => r.units));
});

test('a task that fails once is tried again; the result is that of an undisturbed run', async () => {
  let failures = 0;
  const inner = inProcess();
  const shaky: Executor = {
    ...inner,
    run: (stage, order, reports) =>
      order.task.id === 'part-1' && failures++ === 0
        ? Promise.reject(new Error('shaken'))
        : inner.run(stage, order, reports),
  };
  await start({}, toyStages(), shaky);
  const shaken = files();
  rmSync(lake, { recursive: true });
  await openLake(lake);
  await start();
  expect(files()).toEqual(shaken);
});

test('a task that always fails is named, the others are done, and the next run makes only what is missing', async () => {
  const inner = inProcess();
  const ran: string[] = [];
  const watching = (broken: boolean): Executor => ({
    ...inner,
    run: (stage, order, reports) => {
      if (broken && order.task.id === 'part-1') return Promise.reject(new Error('no luck'));
      ran.push(`${stage.name} ${order.task.id}`);
      return inner.run(stage, order, reports);
    },
  });
  await expect(start({}, toyStages(), watching(true))).rejects.toThrow(/make: task part-1 failed: no luck/);
  expect(ran).toEqual(['make part-0', 'make part-2']);
  ran.length = 0;
  await start({}, toyStages(), watching(false));
  expect(ran[0]).toBe('make part-1');
  expect(ran).toHaveLength(4);
});

test('half-written files of a killed run are cleared and never count', async () => {
  const stages: AnyStage[] = toyStages();
  const make = stages[0]!;
  stages[0] = {
    ...make,
    run: async (task, p, io) => {
      await make.run(task, p, io);
      throw new GarnerError({ what: 'the disk is full' });
    },
  };
  await expect(start({}, stages)).rejects.toThrow('the disk is full');
  expect(Object.keys(files()).filter((f) => f.startsWith('/documents'))).toEqual([]);
});

test('a second writer is told who holds the lake, and may wait', async () => {
  const lock = await lockLake(lake, { wait: false });
  await expect(lockLake(lake, { wait: false })).rejects.toThrow(
    new RegExp(`being written by process ${process.pid} on`),
  );
  let holder = '';
  const waiting = lockLake(lake, { wait: true, onWait: (h) => (holder = h) });
  setTimeout(() => lock.release(), 300);
  (await waiting).release();
  expect(holder).toContain(`process ${process.pid}`);
});
