import { existsSync, readFileSync, utimesSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { GarnerError } from '../errors.ts';
import { writeAtomically } from '../files.ts';
import { stableJson } from '../hash.ts';
import { lockLake } from '../lake/lock.ts';
import { readManifest, recipeManifestPath, type RecipeManifest } from '../lake/layout.ts';
import type { Progress } from '../progress.ts';
import { HandedOver, type Executor } from './executor.ts';
import { unitKey, unitsOf } from './key.ts';
import { damage, markerPath, readMarker, type Output } from './marker.ts';
import type { AnyStage, Counts, Inputs, Unit } from './stage.ts';
import { runTasks, sum } from './tasks.ts';
import { sweepTemporary } from './temporary.ts';

export interface RunOptions {
  lake: string;
  recipe: { name: string } & Record<string, unknown>;
  stages: readonly AnyStage[];
  executor: Executor;
  progress: Progress;
  /** Last stage to run, by name. */
  until?: string | undefined;
  /** Wait for another writer instead of stopping. */
  wait?: boolean | undefined;
  /** How often a failing task is tried. */
  attempts?: number | undefined;
  /** Aborted on Ctrl-C: nothing new is begun. */
  signal?: AbortSignal | undefined;
}

export interface StageReport {
  stage: string;
  units: { name: string; key: string | null; reused: boolean }[];
  counts: Counts;
  seconds: number;
}

/** Runs the stages that a recipe asks for, in order; what is there already is reused. Holds the lake's lock. */
export async function run(given: RunOptions): Promise<StageReport[]> {
  const lost = new AbortController();
  const signal = given.signal ? AbortSignal.any([given.signal, lost.signal]) : lost.signal;
  const options = { ...given, signal, stages: given.stages.map(askedOnce) };
  const { lake, progress } = options;
  const lock = await lockLake(lake, {
    wait: options.wait ?? false,
    onWait: (holder) => progress.notice(`waiting for ${holder}`),
    signal,
    onLost(reason) {
      lost.abort(reason);
      void options.executor.close();
    },
  });
  const reports: StageReport[] = [];
  try {
    await sweepTemporary(lake);
    const outputs: Record<string, Output[]> = {};
    await writeManifest(options, outputs, false);
    for (const stage of upTo(options.stages, options.until)) {
      options.signal?.throwIfAborted();
      const params = stage.params(options.recipe);
      if (params === null) continue;
      const { made, report } = await runStage(stage, params, pick(outputs, stage), options);
      outputs[stage.name] = made;
      reports.push(report);
      if (report.units.some((u) => !u.reused)) await writeManifest(options, outputs, false);
    }
    await writeManifest(options, outputs, options.until === undefined);
    return reports;
  } catch (error) {
    if (error instanceof HandedOver) return reports;
    throw error;
  } finally {
    progress.close();
    lock.release();
  }
}

/** Parameters may cost a look at every input file: a run asks for them once. */
function askedOnce(stage: AnyStage): AnyStage {
  let params: { value: unknown } | undefined;
  return { ...stage, params: (recipe) => (params ??= { value: stage.params(recipe) }).value };
}

/** What a run would do: for each stage its units, their keys and whether they are there. Keys after a crawl that is still to run are unknown. */
export function plan(options: Pick<RunOptions, 'lake' | 'recipe' | 'stages' | 'until'>): StageReport[] {
  return foresee(options).map(({ stage, made }) => ({
    stage: stage.name,
    units: made.map((m) => ({ name: m.unit.name, key: m.key, reused: m.output !== null })),
    counts: {},
    seconds: 0,
  }));
}

/** The stages that a recipe asks for, with the outputs that stand; `outputs` has those that are known already. */
function foresee(
  options: Pick<RunOptions, 'lake' | 'recipe' | 'stages' | 'until'>,
  known: Readonly<Record<string, readonly Output[]>> = {},
) {
  const outputs: Record<string, readonly Output[] | null> = {};
  const all: { stage: AnyStage; made: { unit: Unit; key: string | null; output: Output | null }[] }[] = [];
  for (const stage of upTo(options.stages, options.until)) {
    const params = stage.params(options.recipe);
    if (params === null) continue;
    const clear = stage.inputs.every((name) => outputs[name] !== null);
    const inputs = clear ? pick(outputs as Record<string, readonly Output[]>, stage) : {};
    const made = unitsOf(stage, params).map((unit) => {
      const key = clear ? unitKey(stage, unit, inputs) : null;
      return { unit, key, output: key === null ? null : standing(options.lake, stage, unit, key).output };
    });
    const foreseeable = clear && (stage.identity !== 'content' || made.every((m) => m.output));
    outputs[stage.name] =
      known[stage.name] ?? (foreseeable ? made.map((m) => m.output ?? promised(stage, m.unit, m.key!)) : null);
    all.push({ stage, made });
  }
  return all;
}

/** What stands for an output that is still to be made, where later keys are foretold. */
const promised = (stage: AnyStage, unit: Unit, key: string): Output => ({
  stage: stage.name,
  unit: unit.name,
  key,
  identity: key,
  version: 0,
  params: null,
  inputs: [],
  files: [],
  counts: {},
  facts: {},
});

/**
 * The output of a unit if it can be used: its marker is whole and its files have their sizes. `trouble` says what is wrong
 * with one that has to be made again. What the outside world decided (a crawl) is never made again for a lost file: what
 * was made from it still stands.
 */
function standing(
  lake: string,
  stage: AnyStage,
  unit: Unit,
  key: string,
): { output: Output | null; trouble: string | null } {
  const output = readMarker(lake, stage.name, unit.name, key);
  const path = markerPath(lake, stage.name, unit.name, key);
  if (output === null) return { output, trouble: existsSync(path) ? 'its marker is damaged' : null };
  const trouble = damage(lake, output);
  return { output: trouble === null || stage.identity === 'content' ? output : null, trouble };
}

function upTo(stages: readonly AnyStage[], until: string | undefined): readonly AnyStage[] {
  if (until === undefined) return stages;
  const last = stages.findIndex((s) => s.name === until);
  if (last === -1)
    throw new GarnerError({
      what: `no stage is called "${until}"`,
      hint: `the stages: ${stages.map((s) => s.name).join(', ')}`,
      fault: 2,
    });
  return stages.slice(0, last + 1);
}

const pick = (outputs: Readonly<Record<string, readonly Output[]>>, stage: AnyStage): Inputs =>
  Object.fromEntries(stage.inputs.map((name) => [name, outputs[name] ?? []]));

async function runStage(stage: AnyStage, params: unknown, inputs: Inputs, options: RunOptions) {
  const { lake, progress } = options;
  const units = unitsOf(stage, params).map((unit) => {
    const key = unitKey(stage, unit, inputs);
    return { unit, key, ...standing(lake, stage, unit, key) };
  });
  const missing = units.filter((u) => u.output === null);
  for (const { unit, key, output, trouble } of units) {
    if (trouble === null) continue;
    const name = unit.name === stage.name ? stage.name : `${stage.name} ${unit.name}`;
    progress.notice(output === null ? `${name} is made again: ${trouble}` : `${name}: ${trouble}`);
    if (output === null) await rm(markerPath(lake, stage.name, unit.name, key), { force: true });
  }
  const started = performance.now();
  if (missing.length === 0) progress.reused(stage.name);
  else await runTasks(stage, params, inputs, missing, options);
  const made = units.map(({ unit, key }) => readMarker(lake, stage.name, unit.name, key)!);
  const counts = sum(made.map((m) => m.counts));
  const seconds = (performance.now() - started) / 1000;
  if (missing.length > 0) progress.end(stage.name, seconds, counts);
  const report: StageReport = {
    stage: stage.name,
    units: units.map(({ unit, key }) => ({ name: unit.name, key, reused: !missing.some((m) => m.key === key) })),
    counts,
    seconds,
  };
  return { made, report };
}

/**
 * Names what this run stands for: what it has made so far, and later stages that stand already. A run that did not reach
 * the end also names what the last whole one had, so that gc keeps it until the next whole run.
 */
async function writeManifest(
  options: RunOptions,
  outputs: Readonly<Record<string, readonly Output[]>>,
  reachedEnd: boolean,
): Promise<void> {
  const path = recipeManifestPath(options.lake, options.recipe.name);
  const before = readManifest(path);
  const { until: _, ...all } = options;
  const names = foresee(all, outputs).flatMap(({ stage, made }) =>
    made.filter((m) => m.output !== null).map((m) => ({ stage: stage.name, unit: m.unit.name, key: m.key! })),
  );
  const { name } = options.recipe;
  const manifest: RecipeManifest = { name, recipe: options.recipe, outputs: names };
  const whole = before === null ? [] : (before.whole ?? before.outputs);
  const has = new Set(names.map((n) => n.key));
  if (!reachedEnd && whole.some((w) => !has.has(w.key))) manifest.whole = whole;
  const text = `${stableJson(manifest)}\n`;
  // The recipe that ran last is told by the time of its manifest.
  if (existsSync(path) && readFileSync(path, 'utf8') === text) utimesSync(path, new Date(), new Date());
  else await writeAtomically(path, text);
}
