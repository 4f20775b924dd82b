import { existsSync, readFileSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { basename, join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { stringify } from 'yaml';
import { GarnerError } from '../../errors.ts';
import { HandedOver, type Batch, type Executor } from '../executor.ts';
import { failurePath, type FailureNote } from '../ordered.ts';
import { writeTaskList } from '../orders.ts';
import { jobOf, type TaskJob } from './manifest.ts';
import { faultsOf } from './rules.ts';
import type { KubernetesSettings } from './settings.ts';

export interface KubernetesOptions {
  settings: KubernetesSettings;
  /** Gets the manifest (YAML) of the stage whose turn it is. */
  emit: (manifest: string, job: TaskJob) => void | Promise<void>;
  /** Stay until the tasks' markers stand, and go on with the next stage; else the run ends as soon as one was emitted. */
  wait: boolean;
  /** Between two looks at the markers [ms]. */
  interval?: number | undefined;
}

/** The executor that writes manifests: an Indexed Job for the missing tasks of a stage. It starts nothing itself. */
export const kubernetesExecutor = (options: KubernetesOptions): Executor => ({
  width: 1,
  run: () => Promise.reject(new Error('the tasks run in a cluster')),
  async batch(batch) {
    const job = await jobFor(batch, options.settings);
    await options.emit(stringify(job, { lineWidth: 0, aliasDuplicateObjects: false }), job);
    if (!options.wait) throw new HandedOver(job.metadata.name);
    await waitForMarkers(batch, job, options.interval ?? 2000);
    return [];
  },
  close: () => Promise.resolve(),
});

/** The Job for the missing tasks: of the whole list where all are missing, else of a list of those. */
async function jobFor(batch: Batch, settings: KubernetesSettings): Promise<TaskJob> {
  const { lake, stage, list, missing, attempts } = batch;
  const { tasks: _, format: __, ...head } = list.head;
  const some = missing.length < list.tasks.length;
  const { path } = some
    ? await writeTaskList(
        lake,
        head,
        missing.map((i) => list.tasks[i]!),
      )
    : list;
  const mount = settings.mount ?? lake;
  const way = relative(mount, lake);
  if (way === '..' || way.startsWith('../'))
    throw new GarnerError({
      what: `the lake does not lie below ${mount}, where the claim is mounted`,
      where: lake,
      hint: 'name the mount that both sides have with --mount, and the lake in it with --lake',
      fault: 2,
    });
  const job = jobOf({
    stage: stage.name,
    list: join(lake, path),
    digest: basename(path, '.jsonl'),
    tasks: missing.length,
    lake,
    attempts,
    settings,
  });
  const [fault] = faultsOf(job);
  if (fault !== undefined)
    throw new GarnerError({
      what: fault,
      where: 'executor.kubernetes',
      hint: 'change it in the recipe, or by an option',
      fault: 2,
    });
  return job;
}

/** Looks at the markers, which alone are the truth, until all stand; says what failed tasks have left word of. */
async function waitForMarkers(batch: Batch, job: TaskJob, interval: number): Promise<void> {
  const { lake, stage, list, signal } = batch;
  const key = Object.values(list.head.keys)[0]!;
  const told = new Set<string>();
  let missing = [...batch.missing];
  for (;;) {
    const still = missing.filter((i) => !batch.isDone(i));
    for (const i of missing) if (!still.includes(i)) batch.taskDone(i);
    missing = still;
    if (missing.length === 0) return;
    const total = batch.missing.length;
    batch.note(total - missing.length, `${job.metadata.name}: ${total - missing.length} of ${total}`);
    for (const i of missing) {
      const note = failureOf(lake, stage.name, key, list.tasks[i]!.id);
      const text = note && `${stage.name} ${list.tasks[i]!.id} failed on ${note.host}: ${note.what}`;
      if (text && !told.has(`${text} ${note.time}`)) batch.notice(text);
      if (text) told.add(`${text} ${note.time}`);
    }
    await sleep(interval, undefined, signal ? { signal } : {});
  }
}

function failureOf(lake: string, stage: string, key: string, task: string): FailureNote | null {
  const path = join(lake, failurePath(stage, key, task));
  try {
    return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as FailureNote) : null;
  } catch {
    return null;
  }
}

/** Gives a manifest to a command of the shell, e.g. `kubectl apply -f -`. Throws a GarnerError where it fails. */
export function submitWith(command: string, manifest: string): Promise<void> {
  return new Promise((resolve, reject) => {
    // Standard output is for manifests: what the command says goes to standard error.
    const child = spawn('/bin/sh', ['-c', `exec >&2\n${command}`], { stdio: ['pipe', 'inherit', 'inherit'] });
    child.stdin.on('error', () => {});
    child.stdin.end(manifest);
    child.on('error', reject);
    child.on('close', (code, signal) =>
      code === 0
        ? resolve()
        : reject(
            new GarnerError({
              what: `the command ended with ${signal ?? `code ${code}`}`,
              where: `--submit ${command}`,
              hint: 'it gets the manifest on its standard input',
            }),
          ),
    );
  });
}
