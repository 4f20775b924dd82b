import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { afterEach, beforeEach, expect, test } from 'vitest';
import gc from '../../../cli/commands/gc.ts';
import type { Options, Terminal } from '../../../cli/command.ts';
import { inventory, remove } from '../../../core/lake/inventory.ts';
import { openLake } from '../../../core/lake/lake.ts';
import { silent } from '../../../core/progress.ts';
import { inProcess, plan, run } from '../../../core/stage/index.ts';
import { toyStages } from '../../core/toy.ts';

let lake = '';
beforeEach(async () => {
  lake = await openLake(mkdtempSync(join(tmpdir(), 'garner-gc-')));
});
afterEach(() => rmSync(lake, { recursive: true, force: true }));

const start = (recipe: { name: string; numbers: number; parts: number; factor: number }, until?: string) =>
  run({ lake, recipe, stages: toyStages(), executor: inProcess(), progress: silent, until });
async function collect(options: Options = {}): Promise<string> {
  let said = '';
  const stdout = new Writable({
    write: (chunk: Buffer, _, done) => {
      said += chunk.toString();
      done();
    },
  });
  await gc.run([], { lake, ...options }, { stdin: process.stdin, stdout, stderr: process.stderr } as Terminal);
  return said;
}
/** The same numbers each time. */
function dice(seed: number): (n: number) => number {
  let state = seed;
  return (n) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
}

test('after any sequence of runs, whole and stopped, gc leaves all that each recipe’s last whole run needs', async () => {
  for (let seed = 1; seed <= 6; seed++) {
    const roll = dice(seed);
    const whole = new Map<string, Parameters<typeof start>[0]>();
    for (let step = 0; step < 10; step++) {
      const recipe = { name: `r${roll(3)}`, numbers: 6 + roll(3), parts: 1 + roll(3), factor: 3 + roll(3) };
      const stops = roll(3) === 0;
      await start(recipe, stops ? 'make' : undefined);
      if (!stops) whole.set(recipe.name, recipe);
      if (roll(3) === 0) await collect(roll(2) === 0 ? { unfinished: true } : {});
    }
    await collect({ unfinished: true, snapshots: true });
    for (const recipe of whole.values())
      expect([
        seed,
        ...plan({ lake, recipe, stages: toyStages() }).flatMap((r) => r.units.map((u) => u.reused)),
      ]).toEqual([seed, true, true, true]);
    expect(await collect()).toContain('nothing to free');
  }
});

test('a gc that is killed between any two steps leaves a lake that heals', async () => {
  const recipe = { name: 'toy', numbers: 10, parts: 3, factor: 5 };
  await start(recipe);
  await start({ ...recipe, numbers: 12 });
  const whole = `${lake}-copy`;
  cpSync(lake, whole, { recursive: true });
  try {
    const stale = inventory(lake).filter((h) => h.recipes.length === 0);
    expect(stale).toHaveLength(3);
    for (const holding of stale) {
      for (let moved = 1; moved < holding.folders.length; moved++) {
        rmSync(lake, { recursive: true });
        cpSync(whole, lake, { recursive: true });
        remove(lake, { ...holding, folders: holding.folders.slice(0, moved) });
        // The markers go first: what is left does not count, and a run makes it anew.
        const again = await start(recipe);
        expect(again.flatMap((r) => r.units.filter((u) => !u.reused).map((u) => u.key))).toEqual([holding.key]);
        await start({ ...recipe, numbers: 12 });
        rmSync(join(lake, holding.folders[0]!), { recursive: true });
        await collect({ unfinished: true });
        for (const folder of holding.folders) expect([folder, existsSync(join(lake, folder))]).toEqual([folder, false]);
      }
    }
  } finally {
    rmSync(whole, { recursive: true, force: true });
  }
});

test('what a killed process had in its hands goes too; --dry-run touches nothing', async () => {
  await start({ name: 'toy', numbers: 10, parts: 3, factor: 5 });
  mkdirSync(join(lake, '.tmp', 'gc-1', 'x'), { recursive: true });
  await collect({ dryRun: true });
  expect(existsSync(join(lake, '.tmp'))).toBe(true);
  await collect();
  expect(existsSync(join(lake, '.tmp'))).toBe(false);
});
