import { GarnerError } from '../../core/errors.ts';

/** One piece of work of a stage: a forward, a whole backward, or (zero-bubble) the halves of one. */
export interface Work {
  kind: 'forward' | 'backward' | 'input' | 'weight';
  micro: number;
  /** The stage's own, 0 … v − 1; in the model it is chunk `modelChunk(shape, stage, chunk)`. */
  chunk: number;
}

export const SCHEDULES = ['gpipe', '1f1b', 'interleaved', 'zb-h1'] as const;

export type Schedule = (typeof SCHEDULES)[number];

/** p stages, m micro-batches, v chunks of layers on each stage (1 unless interleaved). */
export interface ScheduleShape {
  stages: number;
  micro: number;
  chunks: number;
}

/**
 * Unread messages from one stage to another that must be possible before a send waits. One is enough for all but the
 * interleaved schedule on two stages, where activations and gradients go to the same rank: there each stage would wait
 * for the other to read. The tests run p ≤ 8, m ≤ 16, v ≤ 4 without a deadlock.
 */
export const MAILBOX_DEPTH = 2;

/** The place in the model of a stage's chunk: chunk c of the model lies on stage c mod p. */
export const modelChunk = ({ stages }: ScheduleShape, stage: number, chunk: number): number => chunk * stages + stage;

/** Throws a GarnerError, with both sides of the broken equation, when a schedule does not fit a shape. */
export function checkSchedule(schedule: Schedule, { stages, micro, chunks }: ScheduleShape): void {
  const wrong = (what: string, hint: string) => new GarnerError({ what, hint, fault: 2 });
  for (const [name, value] of Object.entries({ stages, 'micro-batches': micro, chunks })) {
    if (!Number.isInteger(value) || value < 1)
      throw wrong(`a pipeline schedule of ${value} ${name}`, 'each is a whole number from 1');
  }
  if (schedule !== 'interleaved' && chunks !== 1)
    throw wrong(
      `${schedule} has one chunk of layers on a stage, not ${chunks}`,
      `choose the interleaved schedule for ${chunks} chunks`,
    );
  if (schedule === 'interleaved' && micro % stages !== 0) {
    const below = micro - (micro % stages);
    const near = [below, below + stages].filter((m) => m > 0).join(' or ');
    throw wrong(
      `interleaved needs micro-batches = rounds × stages, but ${micro} ≠ ${Math.round((micro / stages) * 100) / 100} × ${stages}`,
      `${near} micro-batches would do`,
    );
  }
}

/**
 * What a stage does in a step, in order (Huang et al. 2019; Narayanan et al. 2021; Qi et al. 2024).
 *
 * The backwards of each chunk come in ascending order of micro-batches in all schedules, GPipe too: gradients are then
 * added in the same order as on one rank, which keeps their bits.
 *
 * Messages: a forward sends its activation to the stage of the next chunk of the model, a backward (or its `input` half)
 * its gradient to that of the chunk before. Who reads just before a piece what it needs and sends just after it what it
 * made, reads from every stage in the order in which that one sent (so messages need no tags), and never waits in a
 * circle where each ordered pair of stages has MAILBOX_DEPTH mailboxes.
 */
export function workOf(schedule: Schedule, shape: ScheduleShape, stage: number): Work[] {
  checkSchedule(schedule, shape);
  if (!(stage >= 0 && stage < shape.stages)) throw new Error(`stage ${stage} of ${shape.stages}`);
  const work = ORDERS[schedule](shape, stage);
  assertOrder(work, shape);
  return work;
}

/** The most forwards, counted in (micro-batch, chunk), whose backward has not ended: what a stage must hold activations for. */
export function inFlight(schedule: Schedule, shape: ScheduleShape, stage: number): number {
  let [held, peak] = [0, 0];
  for (const { kind } of workOf(schedule, shape, stage)) {
    if (kind === 'forward') peak = Math.max(peak, ++held);
    else if (kind !== 'input') held--;
  }
  return peak;
}

const ORDERS: Record<Schedule, (shape: ScheduleShape, stage: number) => Work[]> = {
  gpipe: ({ micro }) => [...plain('forward', micro), ...plain('backward', micro)],

  '1f1b': ({ stages, micro }, stage) =>
    oneForwardOneBackward(plain('forward', micro), plain('backward', micro), Math.min(stages - stage - 1, micro)),

  interleaved({ stages, micro, chunks }, stage) {
    const round = stages * chunks;
    const virtual = Array.from({ length: micro * chunks }, (_, k) => ({
      micro: Math.floor(k / round) * stages + (k % stages),
      chunk: Math.floor((k % round) / stages),
    }));
    const forwards = virtual.map((step): Work => ({ kind: 'forward', ...step }));
    const backwards = virtual.map((step): Work => ({ kind: 'backward', ...step, chunk: chunks - 1 - step.chunk }));
    const warmUp = Math.min(2 * (stages - stage - 1) + (chunks - 1) * stages, micro * chunks);
    return oneForwardOneBackward(forwards, backwards, warmUp);
  },

  /** A stage puts off its weight gradients by as many backward steps as stages stand before it, and fills its tail with them. */
  'zb-h1'({ stages, micro }, stage) {
    const warmUp = Math.min(stages - stage - 1, micro);
    const [forwards, inputs, weights] = [plain('forward', micro), plain('input', micro), plain('weight', micro)];
    const work = forwards.slice(0, warmUp);
    let next = 0;
    for (let j = 0; j < micro; j++) {
      const steady = warmUp + j < micro;
      if (steady) work.push(forwards[warmUp + j]!);
      work.push(inputs[j]!);
      if (!steady || j >= stage) work.push(weights[next++]!);
    }
    return [...work, ...weights.slice(next)];
  },
};

const plain = (kind: Work['kind'], micro: number): Work[] =>
  Array.from({ length: micro }, (_, j) => ({ kind, micro: j, chunk: 0 }));

/** `warmUp` forwards, then one forward and one backward in turn, then the backwards that are left. */
function oneForwardOneBackward(forwards: Work[], backwards: Work[], warmUp: number): Work[] {
  const steady = forwards.slice(warmUp).flatMap((forward, k) => [forward, backwards[k]!]);
  return [...forwards.slice(0, warmUp), ...steady, ...backwards.slice(forwards.length - warmUp)];
}

/** Each kind meets every (micro-batch, chunk) once, a chunk's micro-batches ascend, and no half precedes what it needs. */
function assertOrder(work: Work[], { micro, chunks }: ScheduleShape): void {
  const next = new Map<string, number>();
  const done = (kind: Work['kind'], chunk: number) => next.get(`${kind} ${chunk}`) ?? 0;
  for (const { kind, micro: j, chunk } of work) {
    if (j !== done(kind, chunk)) throw new Error(`${kind} of chunk ${chunk}: ${j} after ${done(kind, chunk) - 1}`);
    const needs = kind === 'forward' ? undefined : kind === 'weight' ? 'input' : 'forward';
    if (needs && done(needs, chunk) <= j) throw new Error(`${kind} ${j} of chunk ${chunk} before its ${needs}`);
    next.set(`${kind} ${chunk}`, j + 1);
  }
  const whole = [...next.values()].every((count) => count === micro) && next.size % chunks === 0;
  if (!whole) throw new Error('a schedule leaves work out');
}
