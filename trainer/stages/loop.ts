import { setImmediate } from 'node:timers/promises';
import { GarnerError } from '../../core/errors.ts';
import type { Step } from '../../core/records/index.ts';
import type { World } from '../collectives/group.ts';
import type { Samples } from '../loader/samples.ts';
import type { Learner } from '../parallel/learner.ts';
import { learningRateAt, type RateSchedule } from '../schedule/learning-rate.ts';
import { measure, type Validation } from './validate.ts';

/** Everything that decides the weights of a run, resolved from the recipe. */
export interface LoopPlan {
  /** Name of the run. */
  run: string;
  steps: number;
  sequence: number;
  /** Rows a step, over all data ranks. */
  batch: number;
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
  samples: Samples;
  validation: Validation | null;
  plan: LoopPlan;
  from: Position;
  /** After each update, on every rank: rows, checkpoints, samples, progress. `seconds` are without the validation. */
  after: (row: Step, position: Position, seconds: number, stop: boolean) => Promise<void>;
  /** Whether this rank was asked to stop. */
  stopRequested: () => boolean;
}

/**
 * Trains from a position to the last step, or to the one after which any rank was asked to stop. All ranks run this same
 * function and see the same stream of samples, however they share it. Gradients are sums of losses over all micro-batches
 * and ranks, divided by the count of trained tokens of the whole batch. Throws a GarnerError when the loss is no number.
 */
export async function train(parts: LoopParts): Promise<void> {
  const { learner, world, samples, plan, validation } = parts;
  const slots = plan.batch / plan.microBatch;
  let { tokens: tokensSoFar } = parts.from;
  for (let step = parts.from.step + 1; step <= plan.steps; step++) {
    const started = performance.now();
    const firstSample = (step - 1) * plan.batch;
    const { lossSum, tokens } = learner.accumulate(slots, (slot, into) => {
      for (let i = 0; i < plan.microBatch; i++) samples.fill(firstSample + slot * plan.microBatch + i, into, i);
    });
    const learningRate = learningRateAt(step - 1, plan.rate);
    const { gradientNorm } = learner.update({
      step,
      learningRate,
      gradientScale: tokens > 0 ? 1 / tokens : 0,
      clip: plan.clip,
      ...plan.adam,
    });
    const loss = tokens > 0 ? lossSum / tokens : 0;
    if (!Number.isFinite(loss) || !Number.isFinite(gradientNorm)) throw diverged(plan.run, step);
    const seconds = (performance.now() - started) / 1000;
    world.note(step, seconds);
    tokensSoFar += tokens;
    const due = validation && (step % plan.validateEvery === 0 || step === plan.steps);
    const measured = due ? measure(validation, learner, plan) : null;
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
    await parts.after(row, { step, samples: firstSample + plan.batch, tokens: tokensSoFar }, seconds, stop);
    if (stop) return;
  }
}

const diverged = (run: string, step: number) =>
  new GarnerError({
    what: `the loss is no number at step ${step}`,
    where: run,
    hint: 'lower learning_rate.peak, or raise learning_rate.warmup',
    fault: 2,
  });
