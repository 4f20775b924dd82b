import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { filesSection } from '../../../crawlers/archives/recipe.ts';
import read from '../../../crawlers/stages/read.ts';
import { openLake } from '../../../core/lake/lake.ts';
import { silent } from '../../../core/progress.ts';
import { HandedOver, inProcess, run, type Batch, type Executor } from '../../../core/stage/index.ts';
import { failurePath, runOrdered } from '../../../core/stage/ordered.ts';
import { readTaskOrder } from '../../../core/stage/orders.ts';
import { runGarner } from '../../e2e/lakes.ts';

let folder = '';
let lake = '';
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'garner-orders-'));
  lake = await openLake(join(folder, 'lake'));
  for (const name of ['a', 'b', 'c'])
    writeFileSync(join(folder, `${name}.jsonl`), `${JSON.stringify({ id: name, text: `the text of ${name}` })}\n`);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const source = (name: string) => ({ path: join(folder, `${name}.jsonl`), type: 'jsonl', name });
const recipe = () => ({ name: 'orders', files: filesSection.parse(['a', 'b', 'c'].map(source)) });
const quiet = { progress() {}, notice() {} };
const start = (executor: Executor, at = lake) =>
  run({ lake: at, recipe: recipe(), stages: [read], executor, progress: silent });

/** Takes the tasks and hands the run over: what a list is for. */
async function handedOver(at = lake): Promise<Batch> {
  let batch: Batch | undefined;
  const executor: Executor = {
    ...inProcess(),
    batch(given) {
      batch = given;
      return Promise.reject(new HandedOver());
    },
  };
  expect(await start(executor, at)).toEqual([]);
  return batch!;
}

const files = (at: string) =>
  Object.fromEntries(
    readdirSync(at, { recursive: true, withFileTypes: true })
      .filter((e) => e.isFile() && !/^(?:timing\.json|\.lock|\.lease)$/.test(e.name))
      .map((e) => join(e.parentPath, e.name))
      .toSorted()
      .map((path) => [path.slice(at.length), readFileSync(path, 'latin1')]),
  );

test('tasks of a list, run one by one wherever the lake is mounted, make the lake that a local run makes', async () => {
  const { list, missing } = await handedOver();
  expect(missing).toEqual([0, 1, 2]);
  expect(list.path).toMatch(/^orders\/read\/[0-9a-f]{16}\/[0-9a-f]{16}\.jsonl$/);
  const elsewhere = join(folder, 'mounted elsewhere');
  cpSync(lake, elsewhere, { recursive: true });
  for (const index of [2, 0]) await runOrdered(await readTaskOrder(join(elsewhere, list.path), index), quiet);
  // What is missing is one task; a run that goes on makes only that one, and the same list again.
  const again = await handedOver(elsewhere);
  expect([again.missing, again.list.path]).toEqual([[1], list.path]);
  await runOrdered(await readTaskOrder(join(elsewhere, list.path), 1), quiet);
  await start(inProcess(), elsewhere);
  const local = await openLake(join(folder, 'local'));
  await start(inProcess(), local);
  expect(files(elsewhere)).toEqual(files(local));
});

test('a task that is done is done at once and writes nothing', async () => {
  const { list } = await handedOver();
  const order = await readTaskOrder(join(lake, list.path), 0);
  expect(await runOrdered(order, quiet)).toMatchObject({ documents: 1 });
  const before = files(lake);
  expect(await runOrdered(order, quiet)).toBeNull();
  expect(files(lake)).toEqual(before);
});

test('two processes with one task at the same moment leave what one leaves', async () => {
  const { list } = await handedOver();
  const path = join(lake, list.path);
  const orders = await Promise.all([readTaskOrder(path, 0), readTaskOrder(path, 0)]);
  await Promise.all(orders.map((order) => runOrdered(order, quiet)));
  const twice = files(lake);
  const other = await openLake(join(folder, 'once'));
  await handedOver(other);
  await runOrdered(await readTaskOrder(join(other, list.path), 0), quiet);
  expect(twice).toEqual(files(other));
});

test('what is no task of a list is refused with code 2', async () => {
  const { list } = await handedOver();
  const path = join(lake, list.path);
  const other = join(lake, 'orders', 'other.jsonl');
  const text = readFileSync(path, 'utf8');
  const refused = async (list: string, index: number, sentence: RegExp, changed?: string) => {
    if (changed !== undefined) writeFileSync(list, changed);
    const error = await readTaskOrder(list, index).catch((e: unknown) => e);
    expect(error).toMatchObject({ fault: 2, message: expect.stringMatching(sentence) });
  };
  await refused(path, 3, /there is no task 3: the list has 3, counted from 0/);
  await refused(join(lake, 'lake.json'), 0, /this is no task list/);
  await refused(join(folder, 'a.jsonl'), 0, /lies in no lake/);
  await refused(join(lake, 'orders', 'none.jsonl'), 0, /no such file/);
  await refused(other, 0, /leaves its folder/, text.replace('"module":"crawlers/', '"module":"../../elsewhere/'));
  await refused(other, 0, /has format 2, this garner reads 1/, text.replace('"format":1', '"format":2'));
  await refused(other, 2, /ends before task 2/, text.split('\n').slice(0, 2).join('\n'));
  await refused(other, 0, /line 2 holds no task/, text.replace('{"id":"part-00000"', '{"idea":"part-00000"'));
});

test('garner task: 0 done, 2 bad input; a failure leaves a note that goes with success', async () => {
  const { list } = await handedOver();
  const path = join(lake, list.path);
  const garner = (index: string) => runGarner(['task', path], { env: { SLURM_ARRAY_TASK_ID: index } });
  expect(garner('1')).toMatchObject({ code: 0, err: expect.stringMatching(/read part-00001: done in .*documents/) });
  rmSync(join(folder, 'a.jsonl'));
  expect(garner('0')).toMatchObject({ code: 2, err: expect.stringContaining('no such file or folder') });
  const note = join(lake, failurePath('read', list.head.keys['read']!, 'part-00000'));
  const where = join(folder, 'a.jsonl');
  expect(JSON.parse(readFileSync(note, 'utf8'))).toMatchObject({ what: 'no such file or folder', where, fault: 2 });
  writeFileSync(where, `${JSON.stringify({ id: 'a', text: 'the text of a' })}\n`);
  expect(garner('0').code).toBe(0);
  expect(() => readFileSync(note)).toThrow('ENOENT');
  writeFileSync(path, readFileSync(path, 'utf8').replace('"keys":{"read":"', '"keys":{"read":"0'));
  expect(garner('2')).toMatchObject({ code: 2, err: expect.stringContaining('written by another version') });
});
