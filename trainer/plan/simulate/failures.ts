import { philox } from '../../model/philox.ts';
import { CHECKPOINT, FAILURES, RESTART } from './constants.ts';

/** A long run on many GPUs. */
export interface LongRun {
  gpus: number;
  /** GPUs of a host: they write checkpoints together. */
  node: number;
  parameters: number;
  /** How long the run shall last by the clock [s]. */
  seconds: number;
  seed: number;
  /** Failures a GPU and hour; absent: FAILURES. */
  rate?: number;
}

export interface LongRunResult {
  /** As drawn, and as expected. */
  failures: number;
  expected: number;
  /** Share of the time in which steps are made that stay. */
  effective: number;
  /** Shares of the time: writing checkpoints, work done again, until work goes on. */
  checkpoints: number;
  lost: number;
  restarts: number;
  /** Between two checkpoints, one checkpoint, and between two failures [s]. */
  interval: number;
  checkpoint: number;
  between: number;
}

/** Seconds that a checkpoint stops a training of so many parameters. */
export function checkpointTime(parameters: number, gpus: number, node: number): number {
  const bandwidth = Math.min(CHECKPOINT.storage, Math.ceil(gpus / node) * CHECKPOINT.host);
  return CHECKPOINT.barrier + (CHECKPOINT.bytes * parameters) / bandwidth;
}

/** The interval between checkpoints that wastes least: √(2δ(M + R)) − δ, δ a checkpoint, M between failures, R a restart (Daly 2006) [s]. */
export const bestInterval = (checkpoint: number, between: number, restart: number): number =>
  Math.max(checkpoint, Math.sqrt(2 * checkpoint * (between + restart)) - checkpoint);

/**
 * Lives through a run failure by failure: times between failures are exponential, a failure loses what was done since the last
 * whole checkpoint, and then nothing is done until the restart. The same seed gives the same run.
 */
export function simulateFailures(run: LongRun): LongRunResult {
  const rate = run.rate ?? FAILURES;
  const between = rate === 0 ? Infinity : 3600 / (rate * run.gpus);
  const checkpoint = checkpointTime(run.parameters, run.gpus, run.node);
  const interval = rate === 0 ? run.seconds : bestInterval(checkpoint, between, RESTART);
  const sums = { effective: 0, checkpoints: 0, lost: 0, restarts: 0 };
  const draw = exponential(run.seed);
  let failures = 0;
  for (let clock = 0; clock < run.seconds;) {
    const end = Math.min(clock + draw() * between, run.seconds);
    const failed = end < run.seconds;
    // A failure during a restart begins it anew.
    const begin = Math.min(end, clock + (failures > 0 ? RESTART : 0));
    sums.restarts += begin - clock;
    // Then work and checkpoint in turn; work after the last whole checkpoint is lost with a failure, and kept at the run's end.
    const whole = Math.floor((end - begin) / (interval + checkpoint));
    const rest = end - begin - whole * (interval + checkpoint);
    const worked = Math.min(rest, interval);
    sums.effective += whole * interval + (failed ? 0 : worked);
    sums.checkpoints += whole * checkpoint + (rest - worked);
    sums.lost += failed ? worked : 0;
    failures += failed ? 1 : 0;
    clock = end;
  }
  const share = (seconds: number) => seconds / run.seconds;
  return {
    failures,
    expected: rate * run.gpus * (run.seconds / 3600),
    effective: share(sums.effective),
    checkpoints: share(sums.checkpoints),
    lost: share(sums.lost),
    restarts: share(sums.restarts),
    interval,
    checkpoint,
    between,
  };
}

/**
 * The share of the time in which steps stay, in the mean, with failures at random (Daly 2006): an interval τ and its checkpoint δ
 * take M·e^(R/M)·(e^((τ + δ)/M) − 1) of the clock, M being the mean time between failures and R a restart.
 */
export function expectedEffective({
  gpus,
  node,
  parameters,
  rate,
}: Pick<LongRun, 'gpus' | 'node' | 'parameters'> & { rate: number }): number {
  if (rate === 0) return 1;
  const between = 3600 / (rate * gpus);
  const checkpoint = checkpointTime(parameters, gpus, node);
  const interval = bestInterval(checkpoint, between, RESTART);
  return interval / (between * Math.exp(RESTART / between) * Math.expm1((interval + checkpoint) / between));
}

/** Draws from an exponential distribution of mean 1. */
function exponential(seed: number): () => number {
  const words = new Uint32Array(4);
  let drawn = 0;
  return () => {
    if (drawn % 4 === 0) philox([drawn / 4, 0, 0, 0], [seed | 0, 1], words);
    return -Math.log((words[drawn++ % 4]! + 0.5) * 2 ** -32);
  };
}
