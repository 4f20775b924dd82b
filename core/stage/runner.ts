import { existsSync, readFileSync, utimesSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { GarnerError } from '../errors.ts';
import { writeAtomically } from '../files.ts';
import { keyOf, stableJson } from '../hash.ts';
import { lockLake } from '../lake/lock.ts';
import { readManifest, recipeManifestPath, type RecipeManifest } from '../lake/layout.ts';
import type { Progress } from '../progress.ts';
import type { Executor } from './executor.ts';
import { inputIdentities, unitKey, unitsOf } from './key.ts';
import { damage, markerFolder, markerPath, readMarker, readTaskMarker, type Output } from './marker.ts';
import type { AnyStage, Counts, Inputs, Task, Unit } from './stage.ts';

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
  const options = { ...given, stages: given.stages.map(askedOnce) };
  const { lake, progress } = options;
  const lock = await lockLake(lake, {
    wait: options.wait ?? false,
    onWait: (holder) => progress.notice(`waiting for ${holder}`),
    signal: options.signal,
  });
  try {
    await rm(join(lake, '.tmp'), { recursive: true, force: true });
    const reports: StageReport[] = [];
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

async function runTasks(
  stage: AnyStage,
  params: unknown,
  inputs: Inputs,
  missing: { unit: Unit; key: string }[],
  options: RunOptions,
): Promise<void> {
  const { lake, progress, executor } = options;
  const started = new Date();
  const tasks = await stage.tasks(inputs, params, lake);
  checkIds(stage, tasks);
  const pendingUnits = (task: Task) =>
    missing.filter(({ unit, key }) => {
      const marker = readTaskMarker(lake, stage.name, unit.name, key, task.id);
      return marker === null || (damage(lake, marker) !== null && stage.identity !== 'content');
    });
  const queue = tasks.map((task) => ({ task, units: pendingUnits(task) })).filter((t) => t.units.length > 0);
  progress.begin(stage.name, queue.length);
  // What every task of a stage would say (no compiler) is said once.
  const said = new Set<string>();
  const notice = (text: string) => {
    if (!said.has(text)) progress.notice(text);
    said.add(text);
  };
  const failures: { task: string; error: unknown }[] = [];
  let stopped = false;
  const work = async () => {
    for (let next = queue.shift(); next && !stopped && !options.signal?.aborted; next = queue.shift()) {
      const { task, units } = next;
      const order = {
        lake,
        stage: stage.name,
        module: stage.module,
        task,
        params,
        inputs,
        keys: Object.fromEntries(units.map(({ unit, key }) => [unit.name, key])),
      };
      const reports = {
        progress: (done: number, total: number | null, note?: string) =>
          progress.update(stage.name, task.id, done, total, note),
        notice,
      };
      for (let attempt = 1; ; attempt++) {
        try {
          await executor.run(stage, order, reports);
          progress.taskDone(stage.name, task.id);
          break;
        } catch (error) {
          const final = error instanceof GarnerError || options.signal?.aborted || attempt >= (options.attempts ?? 2);
          if (!final) {
            progress.notice(`${stage.name} ${task.id} failed and is tried again: ${(error as Error).message}`);
            continue;
          }
          failures.push({ task: task.id, error });
          // A fault of the recipe or of the disk meets every other task too; a fault of one task does not.
          if (error instanceof GarnerError) stopped = true;
          break;
        }
      }
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, executor.width) }, work));
  options.signal?.throwIfAborted();
  if (failures.length > 0) throw failure(stage, failures);
  for (const { unit, key } of missing) await finish(lake, stage, unit, key, inputs, tasks);
  await recordTiming(lake, stage, missing[0]!, started);
}

/** A task's id names files: two equal ones, or one that leaves its folder, would be a bug of the stage. */
function checkIds(stage: AnyStage, tasks: readonly Task[]): void {
  const odd = tasks.find((t) => !/^[\p{L}\p{N}_][\p{L}\p{N}._-]{0,150}$/u.test(t.id));
  if (odd) throw new Error(`${stage.name}: the task id ${JSON.stringify(odd.id)} is no safe file name`);
  if (new Set(tasks.map((t) => t.id)).size < tasks.length) throw new Error(`${stage.name}: two tasks have one id`);
}

function failure(stage: AnyStage, failures: { task: string; error: unknown }[]): Error {
  const { task, error } = failures[0]!;
  if (error instanceof GarnerError) return error;
  const others = failures.length > 1 ? ` (and ${failures.length - 1} more tasks)` : '';
  return new GarnerError(
    {
      what: `task ${task} failed${others}: ${(error as Error).message}`,
      where: stage.name,
      hint: 'the other tasks are done; the same command goes on with what is missing',
    },
    error,
  );
}

async function finish(
  lake: string,
  stage: AnyStage,
  unit: Unit,
  key: string,
  inputs: Inputs,
  tasks: readonly Task[],
): Promise<void> {
  const markers = tasks.map((task) => readTaskMarker(lake, stage.name, unit.name, key, task.id)!);
  const files = markers.flatMap((m) => m.files);
  const output: Output = {
    stage: stage.name,
    unit: unit.name,
    key,
    identity: stage.identity === 'content' ? keyOf(files.map((f) => f.sha256)) : key,
    version: unit.version,
    params: unit.params,
    inputs: inputIdentities(stage, inputs),
    files,
    counts: sum(markers.map((m) => m.counts)),
    facts: Object.assign({}, ...markers.map((m) => m.facts)) as Record<string, unknown>,
  };
  await writeAtomically(markerPath(lake, stage.name, unit.name, key), `${stableJson(output)}\n`);
  await rm(join(lake, markerFolder(stage.name, unit.name, key), 'scratch'), { recursive: true, force: true });
}

/** Seconds stand in a file of their own, which no comparison of bytes reads. */
async function recordTiming(
  lake: string,
  stage: AnyStage,
  { unit, key }: { unit: Unit; key: string },
  started: Date,
): Promise<void> {
  const path = join(lake, markerFolder(stage.name, unit.name, key), 'timing.json');
  await writeAtomically(
    path,
    `${JSON.stringify({ started: started.toISOString(), seconds: (Date.now() - started.getTime()) / 1000 })}\n`,
  );
}

function sum(all: readonly Counts[]): Counts {
  const total: Counts = {};
  for (const counts of all) for (const [name, n] of Object.entries(counts)) total[name] = (total[name] ?? 0) + n;
  return total;
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
