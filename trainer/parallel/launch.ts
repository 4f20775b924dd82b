import { fork, type ChildProcess } from 'node:child_process';
import { closeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { GarnerError, type Fault } from '../../core/errors.ts';
import type { Collective } from '../collectives/collective.ts';
import { createShared, enterShared, RankLost, type SharedPlace } from '../collectives/shared-memory/collective.ts';

/** The memory's descriptor in a started rank: after standard input, output, error and the channel. */
const CHILD_FD = 4;

/** What a started rank is told: its place, and an order of the caller's that is plain data. */
export interface RankOrder<O> {
  place: SharedPlace;
  rank: number;
  order: O;
}

/** What a rank says when it cannot go on. */
export interface RankFailure {
  message: string;
  garner: { what: string; where: string | undefined; hint: string | undefined; fault: Fault } | null;
}

export interface Ranks {
  /** Rank 0's own. */
  collective: Collective;
  /** Turns RankLost into the sentence of the rank that was lost; any other error is returned as it is. */
  explain(error: unknown): Promise<unknown>;
  /** Ends the other ranks at once. */
  close(): void;
}

/** Starts `ranks` − 1 processes of a compiled module on this host, over shared memory for `gradients` floats a rank. */
export function launchRanks<O>(module: string, ranks: number, gradients: number, order: O): Ranks {
  const place = createShared(ranks, gradients);
  const failures = new Map<number, RankFailure>();
  const ends = new Map<number, string>();
  const children: ChildProcess[] = [];
  try {
    for (let rank = 1; rank < ranks; rank++) {
      const child = fork(module, [], { stdio: ['ignore', 'inherit', 'inherit', 'ipc', place.fd], execArgv: [] });
      child.on('message', (failure: RankFailure) => void failures.set(rank, failure));
      child.on('exit', (code, signal) => void ends.set(rank, signal ?? `exit code ${code}`));
      child.on('error', (error) => void ends.set(rank, error.message));
      child.send({ place: { ...place, fd: CHILD_FD }, rank, order } satisfies RankOrder<O>);
      children.push(child);
    }
  } catch (error) {
    closeSync(place.fd);
    for (const child of children) child.kill('SIGKILL');
    throw error;
  }
  return {
    collective: enterShared(
      place,
      0,
      children.map((c) => c.pid!),
    ),
    async explain(error) {
      if (!(error instanceof RankLost)) return error;
      const { rank } = error;
      // The wait blocked this thread: the rank's last words are still on their way.
      for (let i = 0; i < 40 && !ends.has(rank); i++) await sleep(50);
      const failure = failures.get(rank);
      if (failure?.garner) return new GarnerError(failure.garner);
      const why = failure?.message ?? ends.get(rank) ?? 'nobody knows why';
      return new GarnerError({
        what: `rank ${rank} of ${ranks} ended (${why}), and with it the training`,
        hint: `run the same command again: it goes on from the last checkpoint${ends.get(rank) === 'SIGKILL' ? '; was it killed for want of memory?' : ''}`,
      });
    },
    close: () => {
      for (const child of children) child.kill('SIGKILL');
    },
  };
}
