// The child process of the local executor: gets orders, runs tasks, reports. Started by executor.ts with fork().
import { pathToFileURL } from 'node:url';
import { GarnerError, type Fault } from '../errors.ts';
import { compiledModule } from '../root.ts';
import type { AnyStage } from './stage.ts';
import { runTask, type TaskOrder } from './task.ts';

export type WorkerReport =
  | { type: 'progress'; done: number; total: number | null; note: string | undefined }
  | { type: 'notice'; text: string }
  | { type: 'done'; counts: Record<string, number>; peakBytes: number }
  | {
      type: 'failed';
      error: {
        message: string;
        stack: string | undefined;
        garner: { what: string; where: string | undefined; hint: string | undefined; fault: Fault } | null;
      };
    };

const send = (report: WorkerReport) => process.send!(report);

// Ctrl-C reaches the whole process group; the coordinator decides what happens.
process.on('SIGINT', () => {});
process.on('disconnect', () => process.exit(1));

process.on('message', (order: TaskOrder) => {
  void (async () => {
    try {
      const { default: stage } = (await import(pathToFileURL(compiledModule(order.module)).href)) as {
        default: AnyStage;
      };
      let last = 0;
      const counts = await runTask(stage, order, {
        progress(done, total, note) {
          if (Date.now() - last < 100) return;
          last = Date.now();
          send({ type: 'progress', done, total, note });
        },
        notice: (text) => send({ type: 'notice', text }),
      });
      send({ type: 'done', counts, peakBytes: process.resourceUsage().maxRSS * 1024 });
    } catch (error) {
      const known =
        error instanceof GarnerError
          ? {
              what: error.where ? error.message.slice(error.where.length + 2) : error.message,
              where: error.where,
              hint: error.hint,
              fault: error.fault,
            }
          : null;
      send({
        type: 'failed',
        error: { message: String((error as Error).message ?? error), stack: (error as Error).stack, garner: known },
      });
    }
  })();
});
