import { packedChats } from '../../trainer/chat/pack.ts';
import type { RenderedChat } from '../../trainer/chat/template.ts';
import { alone } from '../../trainer/collectives/alone.ts';
import type { Samples } from '../../trainer/loader/samples.ts';
import type { ModelConfig } from '../../trainer/model/config.ts';
import type { Learner } from '../../trainer/parallel/learner.ts';
import { openLearner } from '../../trainer/parallel/open.ts';
import { ALONE } from '../../trainer/parallel/options.ts';
import { learningRateAt } from '../../trainer/schedule/learning-rate.ts';

/** Of a row [tokens], and rows of a step. */
export const SEQUENCE = 512;
export const ROWS = 4;
const THREADS = 2;

/** Weights of a model by name. */
export type Weights = ReadonlyMap<string, Float32Array>;

/** A model in training, at the weights that are given; adapters begin as the seed says. */
export function openAt(config: ModelConfig, weights: Weights | null, seed: number): Learner {
  const learner = openLearner(
    config,
    { batch: ROWS, sequence: SEQUENCE, threads: THREADS, engine: 'cpu', seed, documents: true, parallel: ALONE },
    alone(),
  );
  for (const [name, weight] of weights ?? []) learner.place(name, 'weight', weight);
  return learner;
}

/** A copy of all weights. */
export const weightsIn = (learner: Learner): Weights =>
  new Map(learner.tensors.map(({ name }) => [name, learner.collect(name, 'weight')!.slice()]));

export interface CourseOptions {
  steps: number;
  peak: number;
  decay: number;
  say?: (text: string) => void;
}

/** Trains for some steps on samples 0, 1, …: a warm-up of a twentieth, then a cosine down to a tenth. */
export function runCourse(learner: Learner, samples: Samples, { steps, peak, decay, say }: CourseOptions): void {
  const started = performance.now();
  for (let step = 1; step <= steps; step++) {
    const { lossSum, tokens } = learner.accumulate(1, (_, into) => {
      for (let row = 0; row < ROWS; row++) samples.fill((step - 1) * ROWS + row, into, row);
    });
    const warmup = Math.ceil(steps / 20);
    const rate = { kind: 'cosine' as const, peak, warmup, end: 0.1, decay: 0.2, steps };
    learner.update({
      step,
      learningRate: learningRateAt(step - 1, rate),
      gradientScale: 1 / tokens,
      clip: 1,
      beta1: 0.9,
      beta2: 0.95,
      epsilon: 1e-8,
      weightDecay: decay,
    });
    if (say && (step % 50 === 0 || step === steps)) {
      const speed = Math.round((step * ROWS * SEQUENCE) / ((performance.now() - started) / 1000));
      say(`step ${step} of ${steps}: loss ${(lossSum / tokens).toFixed(3)}, ${speed} tokens/s`);
    }
  }
}

/** Rows of a stream of texts, from a token on; a row is one document. */
export const windows = (stream: Int32Array, from: number): Samples => ({
  count: Math.floor((stream.length - 1) / SEQUENCE),
  fill(k, batch, row) {
    const at = row * SEQUENCE;
    for (let i = 0; i < SEQUENCE; i++) {
      const place = (from + k * SEQUENCE + i) % (stream.length - 1);
      batch.tokens[at + i] = stream[place]!;
      batch.targets[at + i] = stream[place + 1]!;
      batch.documents![at + i] = 0;
    }
  },
});

/** Mean loss of the answers of conversations [nats a token]. */
export function answerLoss(learner: Learner, chats: readonly RenderedChat[], padding: number): number {
  const samples = packedChats(chats, { sequence: SEQUENCE, padding, seed: null });
  const { lossSum, tokens } = learner.evaluate(Math.ceil(samples.count / ROWS), (slot, into) => {
    for (let row = 0; row < ROWS; row++) {
      const k = slot * ROWS + row;
      samples.fill(Math.min(k, samples.count - 1), into, row);
      if (k >= samples.count) into.targets.fill(-1, row * SEQUENCE, (row + 1) * SEQUENCE);
    }
  });
  return lossSum / tokens;
}
