import { fork, type ChildProcess } from 'node:child_process';
import { GarnerError } from '../errors.ts';
import { compiledModule } from '../root.ts';
import type { TaskList } from './orders.ts';
import type { AnyStage, Counts } from './stage.ts';
import { runTask, type TaskOrder, type TaskReports } from './task.ts';
import type { WorkerReport } from './worker.ts';

/** Where tasks run. */
export interface Executor {
  /** How many tasks it runs side by side. */
  width: number;
  run(stage: AnyStage, order: TaskOrder, reports: TaskReports): Promise<Counts>;
  /**
   * For an engine that schedules by itself (Slurm, Kubernetes): gets the missing tasks of a stage at once and resolves, when
   * all of them have ended, with those that failed. Throws HandedOver where others will see to the rest.
   */
  batch?(batch: Batch): Promise<{ task: string; error: unknown }[]>;
  /** False for a stage whose tasks `run` takes one by one all the same. */
  takes?(stage: AnyStage): boolean;
  /** Asks the tasks that run to stop: a training writes a checkpoint first (GarnerError with fault 75), others end at once. */
  stop?(): void;
  /** Ends everything at once; unfinished tasks leave nothing that counts. */
  close(): Promise<void>;
}

/** The missing tasks of a stage, for an engine that schedules by itself. */
export interface Batch {
  /** The lake's folder (absolute). */
  lake: string;
  stage: AnyStage;
  params: unknown;
  /** All tasks of the stage, as they stand in the lake. */
  list: TaskList;
  /** Places in the list of the tasks that are still to be done. */
  missing: readonly number[];
  /** Asks the markers, which alone are the truth. */
  isDone(index: number): boolean;
  /** How often a failing task is tried. */
  attempts: number;
  /** Aborted on Ctrl-C. */
  signal: AbortSignal | undefined;
  taskDone(index: number): void;
  /** For the person at the terminal: how many tasks are done, and what the others do. */
  note(done: number, text: string): void;
  notice(text: string): void;
}

/** Thrown by `batch` where the tasks will be done by others and a later run goes on: this one ends without an error. */
export class HandedOver extends Error {}

/** Tasks run one after another in this process: tests, and --workers 0. */
export const inProcess = (): Executor => ({ width: 1, run: runTask, close: () => Promise.resolve() });

/** Tasks run in `width` child processes of this machine, which can be stopped at any moment. */
export function localExecutor(width: number): Executor {
  const idle: ChildProcess[] = [];
  const all = new Set<ChildProcess>();
  let closed = false;
  const stopped = () => new GarnerError({ what: 'stopped', hint: 'the same command goes on where it stopped' });
  const start = () => {
    const child = fork(compiledModule('core/stage/worker'), [], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      serialization: 'json',
    });
    all.add(child);
    child.on('error', () => child.pid === undefined && all.delete(child));
    child.on('exit', () => {
      all.delete(child);
      if (idle.includes(child)) idle.splice(idle.indexOf(child), 1);
    });
    return child;
  };
  return {
    width,
    run(_stage, order, reports) {
      if (closed) return Promise.reject(stopped());
      const child = idle.pop() ?? start();
      return new Promise<Counts>((resolve, reject) => {
        const ended = (code: number | null, signal: string | null) => {
          child.removeAllListeners('message');
          reject(
            closed
              ? stopped()
              : new Error(
                  `the worker process ended (${signal ?? `exit code ${code}`})${signal === 'SIGKILL' || signal === 'SIGABRT' || code === 134 ? ': perhaps for want of memory' : ''}`,
                ),
          );
        };
        // A process that cannot be started, or is gone before it takes the order, ends here and not with "exit".
        const lost = (error: Error) => {
          settle();
          child.kill('SIGKILL');
          reject(closed ? stopped() : error);
        };
        const settle = () => {
          child.removeListener('exit', ended);
          child.removeListener('error', lost);
          child.removeAllListeners('message');
        };
        child.once('exit', ended);
        child.once('error', lost);
        child.on('message', (report: WorkerReport) => {
          if (report.type === 'progress') reports.progress(report.done, report.total, report.note);
          else if (report.type === 'notice') reports.notice(report.text);
          else if (report.type === 'done') {
            settle();
            idle.push(child);
            resolve(report.counts);
          } else {
            settle();
            // A failed task may leave a wasm or native heap in any state: its process is not used again.
            child.kill('SIGKILL');
            const { garner, message, stack } = report.error;
            reject(garner ? new GarnerError(garner) : Object.assign(new Error(message), { stack }));
          }
        });
        child.send(order, (error) => error && lost(error));
      });
    },
    stop() {
      closed = true;
      for (const child of all) child.kill('SIGTERM');
    },
    async close() {
      closed = true;
      await Promise.all(
        [...all].map(
          (child) =>
            new Promise<void>((resolve) => {
              child.once('exit', () => resolve());
              child.kill('SIGKILL');
            }),
        ),
      );
    },
  };
}
