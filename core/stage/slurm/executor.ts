import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { GarnerError } from '../../errors.ts';
import { temporaryName } from '../../files.ts';
import { keyOf } from '../../hash.ts';
import { plain } from '../../progress.ts';
import { HandedOver, type Batch, type Executor } from '../executor.ts';
import { markerFolder } from '../marker.ts';
import { failurePath, type FailureNote } from '../ordered.ts';
import { cancelPending, elementsOf, largestArray, lastWord, mpiKinds, submit, type Element } from './client.ts';
import { arrayScript, exportOption, launcherOf, mpiOf, resourceOptions } from './script.ts';
import { resourcesOf, type SlurmSettings } from './settings.ts';

/** How long an element may be gone from the queue before its tasks count as failed [ms]: a marker travels over the network too. */
const SETTLE_MS = 5_000;
/** How often markers are looked at, and Slurm asked: at first, and at most [ms]. */
const LOOK_MS = { first: 250, most: 5_000 };
const ASK_MS = { first: 2_000, most: 30_000 };
/** Reasons to wait that pass by themselves. */
const PATIENCE = /^(?:None|Resources|Priority|BeginTime|JobArrayTaskLimit|Dependency|Cleaning|Reservation|Licenses)$/;

/** Hands a run over: submits the run that goes on after these arrays; resolves to a word about it. */
export type Follow = (jobs: readonly string[]) => Promise<string>;

export interface SlurmOptions {
  settings: SlurmSettings;
  /** Runs the stages that stay where garner is. */
  local: Executor;
  /** Where nobody waits for a stage's end: how it goes on, and which attempt of its tasks this is, from 1. */
  chain?: { follow: Follow; attempt: number } | undefined;
}

/** Tasks run as job arrays of Slurm. Markers are the truth; what Slurm says is a hint for when to look, and what to try again. */
export function slurmExecutor({ settings, local, chain }: SlurmOptions): Executor {
  return {
    ...local,
    takes: (stage) => !settings.here.includes(stage.name),
    async batch(batch) {
      const array = await openArray(batch, settings);
      const waiting = await array.queued();
      const needed = [...new Set(batch.missing.map(array.elementOf))];
      const fresh = needed.filter((element) => !waiting.some((w) => w.index === element));
      if (waiting.length > 0)
        batch.notice(`${batch.stage.name}: ${waiting.length} tasks are in Slurm's queue already: they are waited for`);
      if (chain === undefined) {
        return watch(batch, array, fresh);
      }
      if (waiting.length === 0 && chain.attempt > batch.attempts)
        return failuresOf(batch, batch.missing, () => Promise.resolve(null));
      const jobs = new Set(waiting.map((w) => w.job));
      if (fresh.length > 0) jobs.add(await array.submit(fresh));
      batch.notice(
        `${batch.stage.name}: ${fresh.length} tasks are job ${[...jobs].join(', ')}; ${await chain.follow([...jobs])}`,
      );
      throw new HandedOver();
    },
  };
}

interface TaskArray {
  name: string;
  /** The element that does a task. */
  elementOf: (index: number) => number;
  submit: (elements: readonly number[]) => Promise<string>;
  queued: () => Promise<Element[]>;
}

/** A job's name says which list its tasks stand in: a coordinator that starts anew finds what an earlier one has submitted. */
export const arrayName = (lake: string, stage: string, list: string): string =>
  `garner-${stage}-${keyOf([lake, list])}`;

async function openArray(batch: Batch, settings: SlurmSettings): Promise<TaskArray> {
  const { lake, stage, list } = batch;
  const resources = resourcesOf(settings, stage.name);
  const shape = stage.ranks?.(batch.params) ?? null;
  if (shape !== null && launcherOf(resources) === 'srun') await checkMpi(mpiOf(resources));
  const tasks = list.tasks.length;
  const fold = Math.max(1, Math.ceil(tasks / (await largestArray())));
  const name = arrayName(lake, stage.name, list.path);
  const logs = join(lake, logFolder(batch));
  mkdirSync(logs, { recursive: true });
  const script = arrayScript({ list: join(lake, list.path), logs, fold, tasks, resources, shape });
  return {
    name,
    elementOf: (index) => Math.floor(index / fold),
    submit: (elements) =>
      submit(
        [
          `--job-name=${name}`,
          `--array=${ranges(elements)}${settings.most === undefined ? '' : `%${settings.most}`}`,
          `--output=${join(logs, 'slurm-%a.log')}`,
          '--open-mode=append',
          '--requeue',
          `--chdir=${lake}`,
          exportOption(),
          ...resourceOptions(resources, shape),
        ],
        script,
      ),
    queued: () => elementsOf(name),
  };
}

const logFolder = ({ stage, list }: Pick<Batch, 'stage' | 'list'>) =>
  join('logs', stage.name, Object.values(list.head.keys)[0]!);

/** A way that srun does not know would end in MPI_Init, in the middle of a long message. */
async function checkMpi(kind: string | undefined): Promise<void> {
  if (kind === undefined) return;
  const kinds = await mpiKinds();
  if (kinds.length === 0 || kinds.includes(kind)) return;
  throw new GarnerError({
    what: `this cluster's srun knows no --mpi=${kind}: MPI would end in MPI_Init`,
    where: 'executor.slurm.mpi',
    hint: `it knows ${kinds.join(', ')}; or let mpirun start the ranks: launcher: mpirun`,
    fault: 2,
  });
}

/** `[0, 1, 2, 7]` → `0-2,7`. */
export function ranges(numbers: readonly number[]): string {
  const parts: [number, number][] = [];
  for (const n of numbers.toSorted((a, b) => a - b)) {
    const last = parts.at(-1);
    if (last && last[1] === n - 1) last[1] = n;
    else parts.push([n, n]);
  }
  return parts.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(',');
}

/** Waits for the markers of all missing tasks; an element that has left the queue without them is submitted again. */
async function watch(
  batch: Batch,
  array: TaskArray,
  fresh: readonly number[],
): Promise<{ task: string; error: unknown }[]> {
  const open = new Map(batch.missing.map((index) => [index, { tries: 1, goneAt: null as number | null }]));
  const failed: number[] = [];
  /** The job that last had an element. */
  const jobs = new Map<number, string>();
  const submitAll = async (elements: readonly number[]) => {
    if (elements.length === 0) return;
    const job = await array.submit(elements);
    for (const element of elements) jobs.set(element, job);
  };
  await submitAll(fresh);
  let look = LOOK_MS.first;
  let ask = ASK_MS.first;
  let asked = performance.now();
  while (open.size > 0) {
    await sleep(look, undefined, { signal: batch.signal }).catch(() => {});
    if (batch.signal?.aborted) {
      batch.notice(
        `${open.size} tasks stay in Slurm's queue: the same command goes on with them; to end them: scancel --name=${array.name}`,
      );
      return [];
    }
    const done = markersOf(batch);
    for (const index of open.keys()) {
      if (!done.has(batch.list.tasks[index]!.id) || !batch.isDone(index)) continue;
      open.delete(index);
      batch.taskDone(index);
      [look, ask] = [LOOK_MS.first, ASK_MS.first];
    }
    look = Math.min(look * 1.3, LOOK_MS.most);
    if (open.size === 0 || performance.now() - asked < ask) continue;
    const elements = await array.queued().catch((error: unknown) => {
      batch.notice(`Slurm does not answer, the markers do: ${(error as Error).message}`);
      return null;
    });
    asked = performance.now();
    ask = Math.min(ask * 1.3, ASK_MS.most);
    if (elements === null) continue;
    batch.note(batch.missing.length - open.size, summary(elements));
    for (const e of elements)
      if (e.state === 'PENDING' && !PATIENCE.test(e.reason)) batch.notice(`${array.name} waits: ${e.reason}`);
    const there = new Set(elements.map((e) => e.index));
    for (const e of elements) jobs.set(e.index, e.job);
    const lost: number[] = [];
    for (const [index, task] of open) {
      if (there.has(array.elementOf(index))) task.goneAt = null;
      else if ((task.goneAt ??= asked) + SETTLE_MS <= asked) lost.push(index);
    }
    if ([...open.values()].some((task) => task.goneAt !== null)) ask = SETTLE_MS;
    if (lost.length === 0) continue;
    await freshen(batch);
    const again: number[] = [];
    for (const index of lost.filter((i) => !batch.isDone(i))) {
      const task = open.get(index)!;
      const note = noteOf(batch, index);
      if (note?.final || task.tries >= batch.attempts) {
        open.delete(index);
        failed.push(index);
        // What is wrong with the recipe meets every other task too.
        if (note?.fault === 2) await cancelPending(array.name);
      } else {
        open.set(index, { tries: task.tries + 1, goneAt: null });
        again.push(index);
        batch.notice(
          `${batch.stage.name} ${batch.list.tasks[index]!.id} failed and is tried again: ${firstLine(note?.what) ?? lastLine(batch, index)}`,
        );
      }
    }
    if (again.length === 0) continue;
    ask = ASK_MS.first;
    await submitAll([...new Set(again.map(array.elementOf))]);
  }
  // A node that was lost and a task that ended all the same: what waits to do it once more need not.
  const rest = await array.queued().catch(() => []);
  if (rest.some((e) => e.state === 'PENDING')) await cancelPending(array.name).catch(() => {});
  return failuresOf(batch, failed, async (index) => {
    const element = array.elementOf(index);
    const job = jobs.get(element);
    return job === undefined ? null : lastWord(job, element);
  });
}

/** DuckDB draws an arrow under its message; the log has all of it. */
const firstLine = (text: string | undefined): string | undefined => text?.split('\n')[0];

/** The end of a log, where a task ended before it could leave a note: killed, or never begun. */
function lastLine(batch: Batch, index: number): string {
  const path = join(batch.lake, logFolder(batch), `${batch.list.tasks[index]!.id}.log`);
  const lines = existsSync(path) ? readFileSync(path, 'utf8').split('\n') : [];
  const last = lines.findLast((line) => /\w/.test(line));
  return last === undefined ? 'it ended without a word' : `it ended after "${plain(last).trim().slice(0, 200)}"`;
}

const summary = (elements: readonly Element[]): string => {
  const running = elements.filter((e) => e.state !== 'PENDING').length;
  return `${running} running, ${elements.length - running} queued`;
};

/** Names of the tasks whose last unit has a marker: one look at a folder, however many tasks there are. */
function markersOf({ lake, stage, list }: Batch): Set<string> {
  const [unit, key] = Object.entries(list.head.keys).at(-1)!;
  try {
    const names = readdirSync(join(lake, markerFolder(stage.name, unit, key), 'tasks'));
    return new Set(names.filter((n) => n.endsWith('.json')).map((n) => n.slice(0, -'.json'.length)));
  } catch {
    return new Set();
  }
}

/** A network file system remembers for a while what a folder held; a change of our own makes it look again. */
async function freshen({ lake, stage, list }: Batch): Promise<void> {
  for (const [unit, key] of Object.entries(list.head.keys)) {
    const folder = join(lake, markerFolder(stage.name, unit, key), 'tasks');
    mkdirSync(folder, { recursive: true });
    const probe = temporaryName(join(folder, 'look'));
    await writeFile(probe, '');
    await rm(probe);
  }
}

function noteOf({ lake, stage, list }: Batch, index: number): FailureNote | null {
  const path = failurePath(stage.name, Object.values(list.head.keys)[0]!, list.tasks[index]!.id);
  try {
    return JSON.parse(readFileSync(join(lake, path), 'utf8')) as FailureNote;
  } catch {
    return null;
  }
}

/** What a person is told of tasks that failed: their own sentence, else Slurm's, and where the whole log lies. */
function failuresOf(
  batch: Batch,
  indices: readonly number[],
  slurmSays: (index: number) => Promise<string | null>,
): Promise<{ task: string; error: unknown }[]> {
  return Promise.all(
    indices.map(async (index) => {
      const task = batch.list.tasks[index]!.id;
      const note = noteOf(batch, index);
      const log = join(batch.lake, logFolder(batch), `${task}.log`);
      if (note?.final)
        return {
          task,
          error: new GarnerError({ ...note, hint: [note.hint, `log: ${log}`].filter(Boolean).join('\n') }),
        };
      const slurm = note === null ? await slurmSays(index) : null;
      const said = firstLine(note?.what) ?? `${lastLine(batch, index)}${slurm === null ? '' : `; Slurm says ${slurm}`}`;
      return { task, error: new Error(`${said} (log: ${log})`) };
    }),
  );
}
