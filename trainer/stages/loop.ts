import { setImmediate } from 'node:timers/promises';
import { GarnerError } from '../../core/errors.ts';
import type { Step } from '../../core/records/index.ts';
import type { Collective } from '../collectives/collective.ts';
import { openBatch, type Batch, type Samples } from '../loader/samples.ts';
import { learningRateAt, type RateSchedule } from '../schedule/learning-rate.ts';
import type { TrainingSession } from '../session.ts';
import { measure, type Validation } from './validate.ts';

/** Everything that decides the weights of a run, resolved from the recipe. */
export interface LoopPlan {
  /** Name of the run. */
  run: string;
  steps: number;
  sequence: number;
  /** Rows a step, over all ranks. */
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
  session: TrainingSession;
  collective: Collective;
  samples: Samples;
  documentMask: boolean;
  validation: Validation | null;
  plan: LoopPlan;
  from: Position;
  /** After each update, on rank 0 only: rows, checkpoints, samples, progress. `seconds` are without the validation. */
  after?: (row: Step, position: Position, seconds: number) => Promise<void>;
}

/**
 * Trains from a position to the last step. All ranks run this same function; rank r takes the r-th part of each batch, so
 * that together they see the stream of one rank; one rank and two give the same bits. Gradients are sums of losses over all
 * micro-batches and ranks, divided by the count of trained tokens of the whole batch. Throws a GarnerError when the loss is no number.
 */
export async function train(parts: LoopParts): Promise<void> {
  const { session, collective, plan, validation } = parts;
  const batch = openBatch(plan.microBatch, plan.sequence, parts.documentMask);
  const stash = halves(plan, collective) === 2 ? new Float32Array(session.gradients.length) : null;
  let { tokens: tokensSoFar } = parts.from;
  for (let step = parts.from.step + 1; step <= plan.steps; step++) {
    const started = performance.now();
    const firstSample = (step - 1) * plan.batch;
    const [lossSum, tokens] = accumulate(parts, batch, firstSample, stash);
    const learningRate = learningRateAt(step - 1, plan.rate);
    const { gradientNorm } = session.update({
      step,
      learningRate,
      gradientScale: tokens > 0 ? 1 / tokens : 0,
      clip: plan.clip,
      ...plan.adam,
    });
    const loss = tokens > 0 ? lossSum / tokens : 0;
    if (!Number.isFinite(loss) || !Number.isFinite(gradientNorm)) throw diverged(plan.run, step);
    const seconds = (performance.now() - started) / 1000;
    tokensSoFar += tokens;
    const due = validation && (step % plan.validateEvery === 0 || step === plan.steps);
    const measured = due ? measure(validation, parts) : null;
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
    await parts.after?.(row, { step, samples: firstSample + plan.batch, tokens: tokensSoFar }, seconds);
    // The kernels block this thread: messages of the process that started us are heard here.
    await setImmediate();
  }
}

/** One rank adds up a batch in the halves of two ranks, where they would be whole micro-batches: then both give the same bits. */
const halves = (plan: LoopPlan, { ranks }: Collective): 1 | 2 =>
  ranks === 1 && (plan.batch / plan.microBatch) % 2 === 0 ? 2 : 1;

/** Gradients of a whole batch into the session, over all ranks; returns the sum of losses and the count of trained tokens. */
function accumulate(
  { session, collective, samples, plan }: LoopParts,
  batch: Batch,
  firstSample: number,
  stash: Float32Array | null,
): [lossSum: number, tokens: number] {
  const parts = stash ? 2 : 1;
  const share = plan.batch / collective.ranks / parts;
  const first = firstSample + collective.rank * share * parts;
  const sums = [0, 0];
  let tokens = 0;
  for (let part = 0; part < parts; part++) {
    session.zeroGradients();
    for (let row = 0; row < share; row += plan.microBatch) {
      for (let i = 0; i < plan.microBatch; i++) samples.fill(first + part * share + row + i, batch, i);
      const made = session.forwardBackward(batch.tokens, batch.targets, batch.documents ?? undefined);
      sums[part]! += made.lossSum;
      tokens += made.tokens;
    }
    if (stash && part === 0) stash.set(session.gradients);
  }
  if (stash) addTo(session.gradients, stash);
  collective.sumGradients();
  return collective.sum([sums[0]! + sums[1]!, tokens]) as [number, number];
}

/** a += b, element by element, as fp32. */
function addTo(a: Float32Array, b: Float32Array): void {
  for (let i = 0; i < a.length; i++) a[i] = b[i]! + a[i]!;
}

const diverged = (run: string, step: number) =>
  new GarnerError({
    what: `the loss is no number at step ${step}`,
    where: run,
    hint: 'lower learning_rate.peak, or raise learning_rate.warmup',
    fault: 2,
  });
