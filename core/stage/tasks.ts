import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { GarnerError } from '../errors.ts';
import { writeAtomically } from '../files.ts';
import { keyOf, stableJson } from '../hash.ts';
import { inputIdentities } from './key.ts';
import { damage, markerFolder, markerPath, readTaskMarker, type Output } from './marker.ts';
import { ordersFolder, writeTaskList } from './orders.ts';
import type { RunOptions } from './runner.ts';
import type { AnyStage, Counts, Inputs, Task, Unit } from './stage.ts';
import { sweepHalfWritten } from './temporary.ts';

/** Units of a stage that are still to be made. */
export type Missing = readonly { unit: Unit; key: string }[];

interface Failure {
  task: string;
  error: unknown;
}

/** Runs what is missing of a stage's tasks, in this process, in others, or by an engine that schedules by itself; then writes the stage's markers. */
export async function runTasks(
  stage: AnyStage,
  params: unknown,
  inputs: Inputs,
  missing: Missing,
  options: RunOptions,
): Promise<void> {
  const { lake, executor } = options;
  const started = new Date();
  const tasks = await stage.tasks(inputs, params, lake);
  checkIds(stage, tasks);
  const keys = Object.fromEntries(missing.map(({ unit, key }) => [unit.name, key]));
  const work = { stage, params, inputs, keys, tasks, options };
  const failures = executor.batch && executor.takes?.(stage) !== false ? await runBatch(work) : await runHere(work);
  options.signal?.throwIfAborted();
  if (failures.length > 0) throw failure(stage, failures);
  for (const { unit, key } of missing) await finish(lake, stage, unit, key, inputs, tasks);
  await recordTiming(lake, stage, missing[0]!, started);
}

interface Work {
  stage: AnyStage;
  params: unknown;
  inputs: Inputs;
  keys: Record<string, string>;
  tasks: readonly Task[];
  options: RunOptions;
}

/** The keys of a task's units that have no whole marker yet; none where the task is done. */
export function pendingKeys(
  lake: string,
  stage: AnyStage,
  keys: Readonly<Record<string, string>>,
  task: string,
): Record<string, string> {
  const pending = Object.entries(keys).filter(([unit, key]) => {
    const marker = readTaskMarker(lake, stage.name, unit, key, task);
    return marker === null || (damage(lake, marker) !== null && stage.identity !== 'content');
  });
  return Object.fromEntries(pending);
}

/** Gives the tasks out one by one, as many at once as the executor is wide. */
async function runHere({ stage, params, inputs, keys, tasks, options }: Work): Promise<Failure[]> {
  const { lake, progress, executor } = options;
  const queue = tasks
    .map((task) => ({ task, pending: pendingKeys(lake, stage, keys, task.id) }))
    .filter((t) => Object.keys(t.pending).length > 0);
  progress.begin(stage.name, queue.length);
  const notice = once((text) => progress.notice(text));
  const failures: Failure[] = [];
  let stopped = false;
  const work = async () => {
    for (let next = queue.shift(); next && !stopped && !options.signal?.aborted; next = queue.shift()) {
      const { task, pending } = next;
      const order = { lake, stage: stage.name, module: stage.module, task, params, inputs, keys: pending };
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
  return failures;
}

/** Writes the task list and leaves the rest to an engine that schedules by itself. */
async function runBatch({ stage, params, inputs, keys, tasks, options }: Work): Promise<Failure[]> {
  const { lake, progress, executor } = options;
  const isDone = (index: number) => Object.keys(pendingKeys(lake, stage, keys, tasks[index]!.id)).length === 0;
  const missing = tasks.map((_, i) => i).filter((i) => !isDone(i));
  progress.begin(stage.name, missing.length);
  if (missing.length === 0) return [];
  const list = await writeTaskList(lake, { stage: stage.name, module: stage.module, params, inputs, keys }, tasks);
  return executor.batch!({
    lake,
    stage,
    params,
    list,
    missing,
    isDone,
    attempts: options.attempts ?? 2,
    signal: options.signal,
    taskDone: (index) => progress.taskDone(stage.name, tasks[index]!.id),
    note: (done, text) => progress.update(stage.name, '', done, null, text),
    notice: once((text) => progress.notice(text)),
  });
}

/** What every task of a stage would say (no compiler) is said once. */
function once(say: (text: string) => void): (text: string) => void {
  const said = new Set<string>();
  return (text) => {
    if (!said.has(text)) say(text);
    said.add(text);
  };
}

/** A task's id names files: two equal ones, or one that leaves its folder, would be a bug of the stage. */
function checkIds(stage: AnyStage, tasks: readonly Task[]): void {
  const odd = tasks.find((t) => !/^[\p{L}\p{N}_][\p{L}\p{N}._-]{0,150}$/u.test(t.id));
  if (odd) throw new Error(`${stage.name}: the task id ${JSON.stringify(odd.id)} is no safe file name`);
  if (new Set(tasks.map((t) => t.id)).size < tasks.length) throw new Error(`${stage.name}: two tasks have one id`);
}

function failure(stage: AnyStage, failures: readonly Failure[]): Error {
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
  for (const folder of [join(markerFolder(stage.name, unit.name, key), 'scratch'), ordersFolder(stage.name, key)])
    await rm(join(lake, folder), { recursive: true, force: true });
  const markersOf = join(lake, markerFolder(stage.name, unit.name, key));
  for (const folder of [markersOf, join(markersOf, 'tasks')]) sweepHalfWritten(folder);
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

/** Counts of several tasks or units, added up. */
export function sum(all: readonly Counts[]): Counts {
  const total: Counts = {};
  for (const counts of all) for (const [name, n] of Object.entries(counts)) total[name] = (total[name] ?? 0) + n;
  return total;
}
