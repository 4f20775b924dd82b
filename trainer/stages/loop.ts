import { setImmediate } from 'node:timers/promises';
import { GarnerError } from '../../core/errors.ts';
import type { Step } from '../../core/records/index.ts';
import type { World } from '../collectives/group.ts';
import type { Learner } from '../parallel/learner.ts';
import { learningRateAt, type RateSchedule } from '../schedule/learning-rate.ts';
import type { Learned, Measure, Objective } from './objective.ts';

/** Everything that decides the weights of a run, resolved from the recipe. */
export interface LoopPlan {
  /** Name of the run. */
  run: string;
  steps: number;
  sequence: number;
  /** Samples a step, over all data ranks: rows, pairs, prompts. */
  batch: number;
  /** Tokens that a step goes through, about: for the display. */
  stepTokens: number;
  /** Rows that go through the model at once. */
  microBatch: number;
  rate: RateSchedule;
  adam: { beta1: number; beta2: number; epsilon: number; weightDecay: number };
  clip: number;
  /** Steps between two measurements; the last step has one. */
  validateEvery: number;
}

/** Where a training stands: all that a loader, a schedule and a journal need to go on. */
export interface Position {
  step: number;
  samples: number;
  tokens: number;
}

export interface LoopParts {
  learner: Learner;
  world: World;
  objective: Objective;
  plan: LoopPlan;
  from: Position;
  /** Puts the first weights back and forgets the moments. */
  restart: () => void;
  /** After each update, on every rank: rows, checkpoints, samples, progress. `seconds` are without the validation. */
  after: (row: Step, position: Position, seconds: number, stop: boolean, more: More) => Promise<void>;
  /** Whether this rank was asked to stop. */
  stopRequested: () => boolean;
}

/** What a step gave beside its row. */
export type More = Required<Pick<Learned, 'metrics' | 'lines'>>;

/**
 * Trains from a position to the last step, or to the one after which any rank was asked to stop. All ranks run this same
 * function and see the same stream of samples, however they share it. Gradients are sums of losses over all micro-batches
 * and ranks, divided by what the objective counts in the whole batch: tokens, pairs, answers. Throws a GarnerError when the loss is no number.
 */
export async function train(parts: LoopParts): Promise<void> {
  const { learner, world, objective, plan } = parts;
  let { tokens: tokensSoFar } = parts.from;
  for (let step = parts.from.step + 1; step <= plan.steps; step++) {
    const started = performance.now();
    const firstSample = (step - 1) * plan.batch;
    const within = objective.within?.(step) ?? step;
    if (within === 1 && step > 1) parts.restart();
    const learned = await objective.learn(step, learner);
    const { loss, weight, tokens } = learned;
    const learningRate = learningRateAt(within - 1, plan.rate);
    const { gradientNorm } = learner.update({
      step: within * (objective.updates ?? 1),
      learningRate,
      gradientScale: weight > 0 ? 1 / weight : 0,
      clip: plan.clip,
      ...plan.adam,
    });
    if (!Number.isFinite(loss) || !Number.isFinite(gradientNorm)) throw diverged(plan.run, step);
    const seconds = (performance.now() - started) / 1000;
    world.note(step, seconds);
    tokensSoFar += tokens;
    const measured = await objective.measure(step, learner);
    const row: Step = {
      run: plan.run,
      step,
      loss,
      learning_rate: learningRate,
      gradient_norm: gradientNorm,
      tokens: tokensSoFar,
      first_sample: firstSample,
      samples: plan.batch,
      validation_loss: measured?.loss ?? null,
      bits_per_byte: measured?.bitsPerByte ?? null,
    };
    // The kernels block this thread: signals, and messages of the process that started us, are heard here.
    await setImmediate();
    const stop = world.sum([parts.stopRequested() ? 1 : 0])[0]! > 0 && step < plan.steps;
    const position = { step, samples: firstSample + plan.batch, tokens: tokensSoFar };
    await parts.after(row, position, seconds, stop, together(learned, measured));
    if (stop) return;
  }
}

/** The numbers and lines of a step and of the measurement after it. */
function together(learned: Learned, measured: Measure | null): More {
  const lines: Record<string, readonly object[]> = { ...learned.lines };
  for (const [name, more] of Object.entries(measured?.lines ?? {})) lines[name] = [...(lines[name] ?? []), ...more];
  return { metrics: { ...learned.metrics, ...measured?.metrics }, lines };
}

const diverged = (run: string, step: number) =>
  new GarnerError({
    what: `the loss is no number at step ${step}`,
    where: run,
    hint: 'lower learning_rate.peak, or raise learning_rate.warmup',
    fault: 2,
  });
