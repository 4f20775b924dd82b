import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { inventory } from '../../core/lake/inventory.ts';
import { currentOutputs, existingLake, openLake } from '../../core/lake/lake.ts';
import { silent } from '../../core/progress.ts';
import { inProcess, plan, run, type AnyStage } from '../../core/stage/index.ts';
import { toyStages } from './toy.ts';

let lake = '';
let notices: string[] = [];
beforeEach(async () => {
  notices = [];
  lake = await openLake(mkdtempSync(join(tmpdir(), 'garner-damage-')));
});
afterEach(() => rmSync(lake, { recursive: true, force: true }));

const recipe = { name: 'toy', numbers: 10, parts: 3, factor: 5 };
const progress = { ...silent, notice: (text: string) => void notices.push(text) };
const start = (over: Partial<typeof recipe> = {}, stages = toyStages(), until?: string) =>
  run({ lake, recipe: { ...recipe, ...over }, stages, executor: inProcess(), progress, until });
const made = (reports: Awaited<ReturnType<typeof start>>) =>
  reports.flatMap((r) => r.units.filter((u) => !u.reused).map((u) => u.name));
const find = (pattern: RegExp) =>
  readdirSync(lake, { recursive: true, encoding: 'utf8' })
    .filter((f) => pattern.test(f))
    .toSorted()
    .map((f) => join(lake, f));
const contents = () =>
  Object.fromEntries(
    find(/\.(?:txt|json)$/)
      .filter((f) => !f.endsWith('timing.json'))
      .map((f) => [f, readFileSync(f, 'utf8')]),
  );

describe('what a power loss or a hand has damaged is made again, with a word about it', () => {
  const damages: Record<string, [RegExp, (path: string) => void]> = {
    'a marker that ends too early': [/stages.make.*done\.json$/, (path) => truncateSync(path, 40)],
    'an empty marker': [/stages.make.*done\.json$/, (path) => truncateSync(path, 0)],
    'a marker of zero bytes in place of words': [
      /stages.make.*done\.json$/,
      (path) => writeFileSync(path, '\0'.repeat(99)),
    ],
    'a marker that is JSON and no marker': [/stages.make.*done\.json$/, (path) => writeFileSync(path, 'null')],
    'an output that is gone': [/documents.*part-1\.txt$/, (path) => rmSync(path)],
    'an output that was cut': [/documents.*part-1\.txt$/, (path) => truncateSync(path, 1)],
    'an output that has grown': [/documents.*part-1\.txt$/, (path) => appendFileSync(path, 'x')],
  };
  for (const [name, [pattern, harm]] of Object.entries(damages))
    test(name, async () => {
      await start();
      const before = contents();
      harm(find(pattern)[0]!);
      expect(plan({ lake, recipe, stages: toyStages() })[0]!.units[0]!.reused).toBe(false);
      expect(made(await start())).toEqual(['make']);
      expect(notices.join()).toMatch(/make is made again: /);
      expect(contents()).toEqual(before);
    });

  test('a task marker that ends too early', async () => {
    await start();
    const before = contents();
    rmSync(find(/stages.make.*done\.json$/)[0]!);
    truncateSync(find(/stages.make.*tasks.part-1\.json$/)[0]!, 10);
    await start();
    expect(contents()).toEqual(before);
  });

  test('a manifest: readers see no recipe, the next run writes it again', async () => {
    await start();
    truncateSync(join(lake, 'recipes', 'toy.json'), 30);
    expect(currentOutputs(lake)).toEqual([]);
    expect(made(await start())).toEqual([]);
    expect(currentOutputs(lake)).toHaveLength(3);
  });

  test('lake.json: one sentence', () => {
    writeFileSync(join(lake, 'lake.json'), '');
    expect(() => existingLake(lake)).toThrow(/lake\.json: the file is damaged/);
    writeFileSync(join(lake, 'lake.json'), 'null');
    expect(() => existingLake(lake)).toThrow(/lake\.json: the file is damaged/);
  });

  test('a crawl is not fetched again for a lost file: what was made from it stands', async () => {
    const stages = toyStages();
    stages[0] = { ...stages[0]!, identity: 'content' };
    await start({}, stages);
    rmSync(find(/documents.*part-1\.txt$/)[0]!);
    expect(made(await start({}, stages))).toEqual([]);
    expect(notices.join()).toMatch(/make: documents.*is missing/);
  });
});

test('a task id that is no safe file name is refused before anything runs', async () => {
  for (const ids of [['../x'], ['a/b'], ['.'], [''], ['a\n'], ['a', 'a'], ['x'.repeat(400)]]) {
    const [make] = toyStages();
    const odd: AnyStage = { ...make!, tasks: () => ids.map((id) => ({ id, input: 0 })) };
    await expect(start({}, [odd]), JSON.stringify(ids)).rejects.toThrow(/no safe file name|two tasks have one id/);
  }
  expect(existsSync(join(lake, 'documents'))).toBe(false);
});

describe('what a recipe stands for', () => {
  const names = () => currentOutputs(lake, 'toy').map((o) => o.unit);
  test('a run that stops early keeps what stands after it', async () => {
    await start();
    await start({}, toyStages(), 'make');
    expect(names()).toEqual(['make', 'by2', 'by5']);
  });

  test('with other parameters: only what fits them is shown, and the last whole run stays from gc', async () => {
    await start();
    await start({ numbers: 20 }, toyStages(), 'make');
    expect(names()).toEqual(['make']);
    expect(inventory(lake).filter((h) => h.keptFor.includes('toy'))).toHaveLength(3);
    await start({ numbers: 20 });
    expect(names()).toEqual(['make', 'by2', 'by5']);
    expect(inventory(lake).filter((h) => h.recipes.length + h.keptFor.length === 0)).toHaveLength(3);
  });

  test('two processes may make the same lake at once', async () => {
    const other = join(lake, 'new');
    await Promise.all(Array.from({ length: 8 }, () => openLake(other)));
    writeFileSync(join(other, 'lake.json.tmp-1-2'), '');
    rmSync(join(other, 'lake.json'));
    await openLake(other);
  });
});

test('an aborted run begins nothing new', async () => {
  const stopping = new AbortController();
  const stages = toyStages();
  const ran: string[] = [];
  const watched = stages.map((s): AnyStage => ({
    ...s,
    run: (task, p, io) => {
      ran.push(`${s.name} ${task.id}`);
      stopping.abort();
      return s.run(task, p, io);
    },
  }));
  await expect(
    run({ lake, recipe, stages: watched, executor: inProcess(), progress, signal: stopping.signal }),
  ).rejects.toThrow(/abort/i);
  expect(ran).toEqual(['make part-0']);
  await start();
});

test('what each task of a stage would say is said once', async () => {
  const [make] = toyStages();
  const wordy: AnyStage = {
    ...make!,
    run: (task, p, io) => {
      io.notice('no C compiler');
      return make!.run(task, p, io);
    },
  };
  await start({}, [wordy]);
  expect(notices).toEqual(['no C compiler']);
});
