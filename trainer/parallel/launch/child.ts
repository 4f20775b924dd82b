import { failureOf, type Failure } from './failure.ts';
import { followParent } from './follow.ts';
import { hearStops } from './stop.ts';

/** The first inherited descriptor of a rank: after standard input, output, error and the channel. */
export const FIRST_FD = 4;

/** What the launcher tells a rank. */
export interface Start<O> {
  rank: number;
  ranks: number;
  /** The launcher's process. */
  parent: number;
  /** Descriptors in this process, in the order in which the launcher named them. */
  fds: number[];
  /** The caller's: plain data. */
  order: O;
}

/** What a rank tells the launcher. */
export type Report =
  /** It hears signals from now on. */
  | { type: 'ready' }
  | { type: 'progress'; done: number; total: number | null; note: string | undefined }
  | { type: 'notice'; text: string }
  | { type: 'ended' }
  | { type: 'failed'; failure: Failure };

/** How rank 0 speaks to the person at the terminal. */
export interface RankReports {
  progress: (done: number, total: number | null, note?: string) => void;
  notice: (text: string) => void;
}

/**
 * A rank's process: waits for its start, runs, says how it ended and ends. Only rank 0 reports on the way. Exit codes: 0, the
 * fault of a GarnerError, 1 for others.
 */
export function serveRank<O>(run: (start: Start<O>, reports: RankReports | null) => Promise<void>): void {
  // Ctrl-C reaches the whole group of processes: the launcher decides what happens.
  process.on('SIGINT', () => {});
  hearStops();
  const send = (report: Report, then?: () => void): void => {
    if (process.connected) process.send!(report, () => then?.());
    else then?.();
  };
  send({ type: 'ready' });
  const end = (report: Report, code: number) => send(report, () => process.exit(code));
  process.once('message', (start: Start<O>) => {
    followParent(start.parent);
    let last = 0;
    const reports: RankReports = {
      progress(done, total, note) {
        if (Date.now() - last < 100 && done !== total) return;
        last = Date.now();
        send({ type: 'progress', done, total, note });
      },
      notice: (text) => send({ type: 'notice', text }),
    };
    run(start, start.rank === 0 ? reports : null).then(
      () => end({ type: 'ended' }, 0),
      (error: unknown) => {
        const failure = failureOf(error);
        end({ type: 'failed', failure }, failure.garner?.fault ?? 1);
      },
    );
  });
}
