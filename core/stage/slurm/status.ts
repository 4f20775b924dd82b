import { createReadStream, existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { markerFolder } from '../marker.ts';
import type { FailureNote } from '../ordered.ts';
import { ordersFolder, type ListHead } from '../orders.ts';
import { queue, type Element } from './client.ts';
import { arrayName } from './executor.ts';

/** How far the tasks of a stage are that a cluster works on. */
export interface StageTasks {
  stage: string;
  /** Of its units that are still to be made. */
  keys: string[];
  /** All tasks, and those that are done. */
  tasks: number;
  done: number;
  /** Elements of Slurm's queue; null where Slurm cannot be asked here. */
  running: number | null;
  queued: number | null;
  /** What failed last and has not succeeded since. */
  failed: { task: string; what: string; host: string; time: string; log: string }[];
  /** Folder of a log a task, from the lake's root. */
  logs: string;
}

/** The stages of a lake whose task lists stand, since they are not finished: the markers counted, Slurm asked. */
export async function clusterTasks(lake: string): Promise<StageTasks[]> {
  const lists = list(join(lake, 'orders')).flatMap((stage) =>
    list(join(lake, 'orders', stage)).flatMap((key) =>
      list(join(lake, ordersFolder(stage, key)))
        .filter((name) => name.endsWith('.jsonl'))
        .map((name) => ({ stage, key, path: join(ordersFolder(stage, key), name) })),
    ),
  );
  if (lists.length === 0) return [];
  const jobs = await queue().catch(() => null);
  const all: StageTasks[] = [];
  for (const { stage, key, path } of lists) {
    const head = await headOf(join(lake, path));
    if (head === null) continue;
    const elements = jobs && (jobs.get(arrayName(lake, stage, path)) ?? []);
    const count = (wanted: (e: Element) => boolean) => elements && elements.filter(wanted).length;
    const [unit, last] = Object.entries(head.keys).at(-1)!;
    const logs = join('logs', stage, key);
    all.push({
      stage,
      keys: Object.values(head.keys),
      tasks: head.tasks,
      done: list(join(lake, markerFolder(stage, unit, last), 'tasks')).filter((n) => n.endsWith('.json')).length,
      running: count((e) => e.state !== 'PENDING'),
      queued: count((e) => e.state === 'PENDING'),
      failed: failures(lake, stage, key, logs),
      logs,
    });
  }
  return all;
}

function failures(lake: string, stage: string, key: string, logs: string): StageTasks['failed'] {
  const folder = join(lake, ordersFolder(stage, key), 'failed');
  return list(folder)
    .filter((name) => name.endsWith('.json'))
    .flatMap((name) => {
      try {
        const { what, where, host, time } = JSON.parse(readFileSync(join(folder, name), 'utf8')) as FailureNote;
        const task = name.slice(0, -'.json'.length);
        // DuckDB draws an arrow under its message; the log has all of it.
        const line = what.split('\n')[0]!;
        return [{ task, what: where ? `${where}: ${line}` : line, host, time, log: join(logs, `${task}.log`) }];
      } catch {
        // It succeeded in between.
        return [];
      }
    });
}

const list = (folder: string): string[] => {
  try {
    return existsSync(folder) ? readdirSync(folder).toSorted() : [];
  } catch {
    return [];
  }
};

async function headOf(path: string): Promise<ListHead | null> {
  const stream = createReadStream(path);
  try {
    for await (const line of createInterface({ input: stream })) return JSON.parse(line) as ListHead;
  } catch {
    // The stage has ended in between.
  } finally {
    stream.destroy();
  }
  return null;
}
