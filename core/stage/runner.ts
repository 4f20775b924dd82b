import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { GarnerError } from '../errors.ts';
import { writeAtomically } from '../files.ts';
import { keyOf, stableJson } from '../hash.ts';
import { lockLake } from '../lake/lock.ts';
import { recipeManifestPath, type RecipeManifest } from '../lake/layout.ts';
import type { Progress } from '../progress.ts';
import type { Executor } from './executor.ts';
import { inputIdentities, unitKey, unitsOf } from './key.ts';
import { markerFolder, markerPath, readMarker, readTaskMarker, type Output } from './marker.ts';
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
}

export interface StageReport {
  stage: string;
  units: { name: string; key: string | null; reused: boolean }[];
  counts: Counts;
  seconds: number;
}

/** Runs the stages that a recipe asks for, in order; what is there already is reused. Holds the lake's lock. */
export async function run(options: RunOptions): Promise<StageReport[]> {
  const { lake, progress } = options;
  const lock = await lockLake(lake, {
    wait: options.wait ?? false,
    onWait: (holder) => progress.notice(`waiting for ${holder}`),
  });
  try {
    await rm(join(lake, '.tmp'), { recursive: true, force: true });
    const reports: StageReport[] = [];
    const outputs: Record<string, Output[]> = {};
    for (const stage of upTo(options.stages, options.until)) {
      const params = stage.params(options.recipe);
      if (params === null) continue;
      const { made, report } = await runStage(stage, params, pick(outputs, stage), options);
      outputs[stage.name] = made;
      reports.push(report);
      await writeManifest(options, outputs);
    }
    return reports;
  } finally {
    progress.close();
    lock.release();
  }
}

/** What a run would do: for each stage its units, their keys and whether they are there. Keys after a crawl that is still to run are unknown. */
export function plan(options: Pick<RunOptions, 'lake' | 'recipe' | 'stages' | 'until'>): StageReport[] {
  const outputs: Record<string, Output[] | null> = {};
  const reports: StageReport[] = [];
  for (const stage of upTo(options.stages, options.until)) {
    const params = stage.params(options.recipe);
    if (params === null) continue;
    const units = unitsOf(stage, params);
    const known = stage.inputs.every((name) => outputs[name] !== null);
    const inputs = known ? pick(outputs as Record<string, Output[]>, stage) : {};
    const made = units.map((unit) => {
      const key = known ? unitKey(stage, unit, inputs) : null;
      return { unit, key, marker: key === null ? null : readMarker(options.lake, stage.name, unit.name, key) };
    });
    const foreseeable = known && (stage.identity !== 'content' || made.every((m) => m.marker));
    outputs[stage.name] = foreseeable
      ? made.map(
          (m) =>
            m.marker ?? {
              stage: stage.name,
              unit: m.unit.name,
              key: m.key!,
              identity: m.key!,
              version: 0,
              params: null,
              inputs: [],
              files: [],
              counts: {},
              facts: {},
            },
        )
      : null;
    reports.push({
      stage: stage.name,
      units: made.map((m) => ({ name: m.unit.name, key: m.key, reused: m.marker !== null })),
      counts: {},
      seconds: 0,
    });
  }
  return reports;
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

const pick = (outputs: Record<string, Output[]>, stage: AnyStage): Inputs =>
  Object.fromEntries(stage.inputs.map((name) => [name, outputs[name] ?? []]));

async function runStage(stage: AnyStage, params: unknown, inputs: Inputs, options: RunOptions) {
  const { lake, progress } = options;
  const units = unitsOf(stage, params).map((unit) => ({ unit, key: unitKey(stage, unit, inputs) }));
  const missing = units.filter(({ unit, key }) => !existsSync(markerPath(lake, stage.name, unit.name, key)));
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
  const pendingUnits = (task: Task) =>
    missing.filter(({ unit, key }) => !readTaskMarker(lake, stage.name, unit.name, key, task.id));
  const queue = tasks.map((task) => ({ task, units: pendingUnits(task) })).filter((t) => t.units.length > 0);
  progress.begin(stage.name, queue.length);
  const failures: { task: string; error: unknown }[] = [];
  let stopped = false;
  const work = async () => {
    for (let next = queue.shift(); next && !stopped; next = queue.shift()) {
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
        notice: (text: string) => progress.notice(text),
      };
      for (let attempt = 1; ; attempt++) {
        try {
          await executor.run(stage, order, reports);
          progress.taskDone(stage.name, task.id);
          break;
        } catch (error) {
          const final = error instanceof GarnerError || attempt >= (options.attempts ?? 2);
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
  if (failures.length > 0) throw failure(stage, failures);
  for (const { unit, key } of missing) await finish(lake, stage, unit, key, inputs, tasks);
  await recordTiming(lake, stage, missing[0]!, started);
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

async function writeManifest(options: RunOptions, outputs: Record<string, Output[]>): Promise<void> {
  const manifest: RecipeManifest = {
    name: options.recipe.name,
    recipe: options.recipe,
    outputs: Object.values(outputs)
      .flat()
      .map(({ stage, unit, key }) => ({ stage, unit, key })),
  };
  const text = `${stableJson(manifest)}\n`;
  await writeAtomically(recipeManifestPath(options.lake, options.recipe.name), text);
}
