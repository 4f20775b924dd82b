import { statSync } from 'node:fs';
import { join } from 'node:path';
import { GarnerError, nearest } from '../core/errors.ts';
import { currentOutputs, recipeManifests } from '../core/lake/lake.ts';
import { recipeManifestPath } from '../core/lake/layout.ts';
import type { Output } from '../core/stage/index.ts';
import { checkpointsIn } from '../trainer/checkpoint/checkpoint.ts';

/** Stages whose outputs are runs, in the order of the arrow. */
const TRAINING = ['pretrain', 'finetune'];

/** The name of a run. */
export const runName = (run: Output): string => String(run.facts['name']);

/** All finished runs that recipes stand for, the latest recipe's last. */
export function allRuns(lake: string): Output[] {
  const age = (name: string) => statSync(recipeManifestPath(lake, name)).mtimeMs;
  const recipes = recipeManifests(lake)
    .map((m) => m.name)
    .toSorted((a, b) => age(a) - age(b));
  const runs = recipes.flatMap((recipe) =>
    currentOutputs(lake, recipe)
      .filter((o) => TRAINING.includes(o.stage))
      .toSorted((a, b) => TRAINING.indexOf(a.stage) - TRAINING.indexOf(b.stage)),
  );
  return [...new Map(runs.map((run) => [run.key, run])).values()];
}

/** A run by its name or by the beginning of its key; the last one without either. Throws a GarnerError that names the runs there are. */
export function findRun(lake: string, wanted: string | undefined): Output {
  const runs = allRuns(lake);
  const found =
    wanted === undefined
      ? runs.at(-1)
      : (runs.findLast((r) => runName(r) === wanted) ??
        (wanted.length >= 4 ? runs.findLast((r) => r.key.startsWith(wanted)) : undefined));
  if (found) return found;
  const names = [...new Set(runs.map(runName))];
  const guess = wanted === undefined ? undefined : nearest(wanted, names);
  throw new GarnerError({
    what: wanted === undefined ? 'nothing was trained on this lake yet' : `no run is called "${wanted}"`,
    where: lake,
    hint:
      names.length === 0
        ? 'train one with "garner train RECIPE"'
        : `${guess ? `did you mean "${guess}"? ` : ''}(all runs: ${names.join(', ')})`,
    fault: 2,
  });
}

/** The folder of a run's last checkpoint, or of the one at a step. */
export function checkpointOf(lake: string, run: Output, step?: number): string {
  const kept = checkpointsIn(join(lake, 'runs', run.key, 'checkpoints'));
  const found = step === undefined ? kept.at(-1) : kept.find((c) => c.step === step);
  if (found) return found.path;
  throw new GarnerError({
    what: step === undefined ? 'the run has no checkpoint' : `the run has no checkpoint at step ${step}`,
    where: runName(run),
    hint: kept.length > 0 ? `its checkpoints: ${kept.map((c) => c.step).join(', ')}` : 'train it again',
    fault: 2,
  });
}
