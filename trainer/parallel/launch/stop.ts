import { AGAIN, GarnerError } from '../../../core/errors.ts';

/** What a cluster sends before it ends a job: SIGTERM, and SIGUSR1 where one asks for an earlier word (`--signal=B:USR1@300`). */
export const STOP_SIGNALS = ['SIGTERM', 'SIGUSR1'] as const;

let requested = false;
let hearers = 0;
const request = (): void => void (requested = true);

/** From now on a signal asks for a checkpoint and an end, and does not end this process by itself. Returns what undoes it. */
export function hearStops(): () => void {
  if (hearers++ === 0) for (const signal of STOP_SIGNALS) process.on(signal, request);
  let heard = true;
  return () => {
    if (!heard) return;
    heard = false;
    if (--hearers > 0) return;
    requested = false;
    for (const signal of STOP_SIGNALS) process.off(signal, request);
  };
}

/** Whether something in this process listens for such a signal and will save where it stands. */
export const hearsStops = (): boolean => hearers > 0;

/** Whether this rank was asked to stop. All ranks add up their answers after each step, so that they stop after the same one. */
export const stopRequested = (): boolean => requested;

/** How a training ends that was asked to stop, once its checkpoint stands: with the exit code that asks for a requeue. */
export const stoppedAt = (run: string, step: number): GarnerError =>
  new GarnerError({
    what: `${run} was stopped after step ${step}, with a checkpoint`,
    hint: 'the same command goes on there',
    fault: AGAIN,
  });
