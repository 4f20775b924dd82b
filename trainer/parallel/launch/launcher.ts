import { fork, type ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { AGAIN, GarnerError } from '../../../core/errors.ts';
import { plain } from '../../../core/progress.ts';
import { FIRST_FD, type RankReports, type Report, type Start } from './child.ts';
import { garnerError, type Failure } from './failure.ts';
import { prefixLines } from './lines.ts';
import { STOP_SIGNALS, stopRequested } from './stop.ts';

/** After a rank's death the others have so long for last words of their own [ms]; then they are killed. */
const GRACE = 500;
/** Last lines of a dead rank that its error quotes. */
const LAST_WORDS = 5;
/** Lines that say nothing to a person: empty ones, and the frames that Node prints of itself when it aborts. */
const TRACE = /^\s*(\d+: |-----|$)/;

export interface RanksOptions<O> {
  /** Path of the compiled module that a rank runs; it calls serveRank. */
  module: string;
  ranks: number;
  /** Plain data, the same for every rank. */
  order: O;
  /** Descriptors that every rank inherits. */
  fds: readonly number[];
  reports: RankReports;
  /** Called once a rank has a process. */
  started?: (rank: number, pid: number) => void;
  /** Where the ranks' lines go. */
  write?: (line: string) => void;
  /** What the flight recorder knows, asked for once the ranks have ended badly. */
  explain?: () => readonly string[];
  environment?: Record<string, string>;
}

/** A rank has died, or was lost by the others: starting again may help. */
export class RanksEnded extends GarnerError {
  readonly rank: number;
  constructor(rank: number, what: string, hint: string) {
    super({ what, hint });
    this.rank = rank;
  }
}

interface Child {
  process: ChildProcess;
  ended: boolean;
  failure: Failure | null;
  /** Exit code or signal; null while it runs. */
  exit: { code: number | null; signal: NodeJS.Signals | null; at: number } | null;
  words: string[];
  /** It hears signals. */
  ready: boolean;
  /** Ended by the launcher, because of another. */
  killed: boolean;
}

/**
 * Starts all ranks on this machine, rank 0 too, and waits until they have ended; SIGTERM and SIGUSR1 are passed on to them.
 * When one ends badly, all end within seconds. Throws the GarnerError of the rank that had one, else RanksEnded with the name
 * of the dead rank, how it died and its last words.
 */
export async function runRanks<O>(options: RanksOptions<O>): Promise<void> {
  const { ranks } = options;
  const children: Child[] = [];
  // Passed on to a rank once it hears it: until then a signal would just end it.
  const asked: NodeJS.Signals[] = stopRequested() ? ['SIGTERM'] : [];
  const pass = (signal: NodeJS.Signals) => {
    asked.push(signal);
    for (const child of children) if (child.ready && !child.exit) child.process.kill(signal);
  };
  const kill = () => {
    for (const child of children) {
      if (child.exit) continue;
      child.killed = true;
      child.process.kill('SIGKILL');
    }
  };
  for (const signal of STOP_SIGNALS) process.on(signal, pass);
  process.once('exit', kill);
  try {
    await new Promise<void>((resolve) => {
      let running = ranks;
      const gone = (child: Child) => {
        // Who was asked to stop leaves the others to write the checkpoint.
        if (!well(child)) setTimeout(kill, GRACE).unref();
        if (--running === 0) resolve();
      };
      for (let rank = 0; rank < ranks; rank++) children.push(startRank(rank, options, asked, gone));
    });
    const error = whyEnded(children, options);
    if (error) throw error;
  } finally {
    for (const signal of STOP_SIGNALS) process.off(signal, pass);
    process.off('exit', kill);
    kill();
  }
}

const stopped = (child: Child): boolean => child.failure?.garner?.fault === AGAIN;
const well = (child: Child): boolean => (child.ended && child.exit?.code === 0) || stopped(child);

function startRank<O>(
  rank: number,
  options: RanksOptions<O>,
  asked: readonly NodeJS.Signals[],
  gone: (child: Child) => void,
): Child {
  const { module, ranks, fds, order, reports } = options;
  const write = options.write ?? ((line) => void process.stderr.write(`${line}\n`));
  const started = fork(module, [], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc', ...fds],
    execArgv: [],
    env: { ...process.env, ...options.environment, GARNER_RANK: String(rank), GARNER_RANKS: String(ranks) },
  });
  const child: Child = {
    process: started,
    ended: false,
    failure: null,
    exit: null,
    words: [],
    ready: false,
    killed: false,
  };
  for (const stream of [started.stdout!, started.stderr!])
    prefixLines(stream, (line) => {
      if (!TRACE.test(line)) child.words.push(line);
      if (child.words.length > LAST_WORDS) child.words.shift();
      write(`[rank ${rank}] ${plain(line)}`);
    });
  started.on('message', (report: Report) => {
    if (report.type === 'progress') reports.progress(report.done, report.total, report.note);
    else if (report.type === 'notice') reports.notice(report.text);
    else if (report.type === 'ready') {
      child.ready = true;
      if (asked.length > 0) started.kill(asked[0]);
    } else if (report.type === 'ended') child.ended = true;
    else child.failure = report.failure;
  });
  const end = (code: number | null, signal: NodeJS.Signals | null) => {
    if (child.exit) return;
    child.exit = { code, signal, at: performance.now() };
    // Its last lines may still be in the pipes, which a process of its own may hold open.
    const closed = new Promise((resolve) => started.once('close', resolve));
    void Promise.race([closed, sleep(300)]).then(() => gone(child));
  };
  started.on('exit', end);
  started.on('error', (error) => {
    child.words.push(error.message);
    if (started.pid === undefined) end(null, null);
    else started.kill('SIGKILL');
  });
  const start: Start<O> = { rank, ranks, parent: process.pid, fds: fds.map((_, i) => FIRST_FD + i), order };
  if (started.pid !== undefined) options.started?.(rank, started.pid);
  // A rank that is gone before it hears this has an exit that says more.
  started.send(start, () => {});
  return child;
}

const stoppedBefore = () =>
  new GarnerError({
    what: 'the ranks were stopped before they could write a checkpoint',
    hint: 'the same command goes on from the last one',
    fault: AGAIN,
  });

/** The error of ranks that have all ended; null where they did their work. */
function whyEnded<O>(children: readonly Child[], { ranks, explain }: RanksOptions<O>): GarnerError | null {
  const bad = children
    .map((child, rank) => ({ ...child, rank }))
    .filter((child) => !well(child) && !child.killed)
    .toSorted((a, b) => a.exit!.at - b.exit!.at);
  if (bad.length === 0) return children.find(stopped)?.failure ? garnerError(children.find(stopped)!.failure!) : null;
  // Who only lost another is no cause, unless all that is known is whom they lost.
  const cause = bad.find((c) => c.failure?.lost == null) ?? bad[0]!;
  if (cause.failure?.garner) return garnerError(cause.failure);
  // A cluster may signal all processes at once, those that have just begun too.
  if ((STOP_SIGNALS as readonly unknown[]).includes(cause.exit!.signal)) return stoppedBefore();
  const lost = cause.failure?.lost ?? null;
  const rank = lost ?? cause.rank;
  const { code, signal } = cause.exit!;
  const how = cause.failure?.message ?? signal ?? (code === null ? 'it could not be started' : `exit code ${code}`);
  const words = cause.failure ? [] : cause.words.map((line) => `[rank ${cause.rank}] ${line}`);
  const hints = [
    ...words,
    ...(explain?.() ?? []),
    `run the same command again: it goes on from the last checkpoint${signal === 'SIGKILL' ? '; was it killed for want of memory?' : ''}`,
  ];
  const what =
    lost === null
      ? `rank ${rank} of ${ranks} ended (${how}), and with it the training`
      : `${how}, and with it the training ended`;
  return new RanksEnded(rank, what, hints.join('\n'));
}
