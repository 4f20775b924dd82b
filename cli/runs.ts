import { existsSync, readdirSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { GarnerError, nearest } from '../core/errors.ts';
import { currentOutputs, recipeManifests } from '../core/lake/lake.ts';
import { recipeManifestPath } from '../core/lake/layout.ts';
import { markerPath, readMarker, type Output } from '../core/stage/marker.ts';
import { checkpointsIn } from '../trainer/checkpoint/checkpoint.ts';

/** Stages whose outputs are runs, in the order of the arrow. */
export const TRAINING = ['pretrain', 'finetune', 'reward', 'dpo', 'grpo', 'ppo'];

/** The name of a run. */
export const runName = (run: Output): string => String(run.facts['name']);

/**
 * All finished runs: first those that no recipe stands for any more (a later run of it changed or failed), the oldest first;
 * then those that recipes stand for, the latest recipe's last.
 */
function allRuns(lake: string): Output[] {
  const age = (name: string) => statSync(recipeManifestPath(lake, name)).mtimeMs;
  const recipes = recipeManifests(lake)
    .map((m) => m.name)
    .toSorted((a, b) => age(a) - age(b));
  const current = recipes.flatMap((recipe) =>
    currentOutputs(lake, recipe)
      .filter((o) => TRAINING.includes(o.stage))
      .toSorted((a, b) => TRAINING.indexOf(a.stage) - TRAINING.indexOf(b.stage)),
  );
  const keys = new Set(current.map((run) => run.key));
  const others = finishedRuns(lake).filter((run) => !keys.has(run.key));
  return [...others, ...new Map(current.map((run) => [run.key, run])).values()];
}

/** Every marker of a run, the oldest first. */
function finishedRuns(lake: string): Output[] {
  const found = TRAINING.flatMap((stage) => {
    const folder = join(lake, 'stages', stage);
    return (existsSync(folder) ? readdirSync(folder) : []).flatMap((key) => {
      const run = readMarker(lake, stage, stage, key);
      return run ? [{ run, time: statSync(markerPath(lake, stage, stage, key)).mtimeMs }] : [];
    });
  });
  return found.toSorted((a, b) => a.time - b.time).map(({ run }) => run);
}

/** A run by its name or by the beginning of its key; without either the last one that writes text. Throws a GarnerError that names the runs there are. */
export function findRun(lake: string, wanted: string | undefined): Output {
  const runs = allRuns(lake);
  const found =
    wanted === undefined
      ? runs.findLast((r) => r.stage !== 'reward')
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

/** The folder of a run's checkpoint (the last one, or the best where it chose one), or of the one at a step. */
export function checkpointOf(lake: string, run: Output, step?: number): string {
  const kept = checkpointsIn(join(lake, 'runs', run.key, 'checkpoints'));
  const chosen = run.facts['checkpoint'];
  const best = kept.find((c) => typeof chosen === 'string' && chosen.endsWith(`/${basename(c.path)}`));
  const found = step === undefined ? (best ?? kept.at(-1)) : kept.find((c) => c.step === step);
  if (found) return found.path;
  throw new GarnerError({
    what: step === undefined ? 'the run has no checkpoint' : `the run has no checkpoint at step ${step}`,
    where: runName(run),
    hint: kept.length > 0 ? `its checkpoints: ${kept.map((c) => c.step).join(', ')}` : 'train it again',
    fault: 2,
  });
}
