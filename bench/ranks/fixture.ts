import { configOfDepth, scoring, type ModelConfig } from '../../trainer/model/config.ts';
import { lendTensors, loadCheckpoint, saveCheckpoint } from '../../trainer/checkpoint/checkpoint.ts';
import type { Batch } from '../../trainer/loader/samples.ts';
import type { World } from '../../trainer/collectives/group.ts';
import { TARGETS, type Lora } from '../../trainer/lora/lora.ts';
import type { Fill, Learner, LossSum } from '../../trainer/parallel/learner.ts';
import { mailboxOf, openLearner, type LearnerOptions } from '../../trainer/parallel/open.ts';
import { ALONE, type ParallelOptions } from '../../trainer/parallel/options.ts';

/**
 * A training that shows every known fault of a mesh (and is blind to none): 16 ragged, masked sequences learned by heart at a
 * rate of 1e-3 with clipping active, in micro-batches of one. Rates above make chaos of the last bits, rates below hide faults.
 */
export interface Fixture {
  parallel: ParallelOptions;
  layers: number;
  width: number;
  keyValueHeads: number;
  tied: boolean;
  vocabulary: number;
  /** Of a row [tokens]. */
  length: number;
  /** Rows of a step, and of a micro-batch. */
  rows: number;
  micro: number;
  steps: number;
  /** Learns from what the model says of each place beside the plain loss: of tokens, or under a scalar head of scores. */
  weighed?: 'tokens' | 'score';
  /** Trains adapters of this rank on all linears, and some rows of the embedding, instead of the weights. */
  adapters?: number;
  /** Writes a checkpoint after step `at` into `folder`. */
  save?: { folder: string; at: number };
  /** Goes on from a checkpoint. */
  from?: string;
}

export interface Course {
  losses: number[];
  norms: number[];
  /** Of each step. */
  seconds: number[];
}

/** The fixture with some of it changed. */
export function fixture(more: Partial<Omit<Fixture, 'parallel'>> & Partial<ParallelOptions> = {}): Fixture {
  const small = { layers: 8, width: 64, keyValueHeads: 8, tied: true, vocabulary: 257, length: 32, rows: 16, micro: 1 };
  const { mesh, chunks, zero, sequence, recompute } = { ...ALONE, ...more };
  const shape = { ...small, steps: 50, ...more };
  const { layers, width, keyValueHeads, tied, vocabulary, length, rows, micro, steps, weighed, adapters, save, from } =
    shape;
  return {
    parallel: { mesh, chunks, zero, sequence, recompute },
    layers,
    width,
    keyValueHeads,
    tied,
    vocabulary,
    length,
    rows,
    micro,
    steps,
    ...(weighed && { weighed }),
    ...(adapters && { adapters }),
    ...(save && { save }),
    ...(from !== undefined && { from }),
  };
}

const HEADS = 8;

const configOf = ({
  layers,
  width,
  keyValueHeads,
  tied,
  vocabulary,
  length,
  weighed,
  adapters,
}: Fixture): ModelConfig => {
  const config = configOfDepth(layers, {
    vocabulary,
    context: length,
    width,
    heads: HEADS,
    keyValueHeads,
    headSize: width / HEADS,
    tiedEmbeddings: tied,
  });
  const lora: Lora | null = adapters ? { rank: adapters, alpha: 16, targets: TARGETS, rows: [0, 7, 8, 30] } : null;
  const model = lora ? { ...config, lora } : config;
  return weighed === 'score' ? scoring(model) : model;
};

const optionsOf = ({ parallel, length, micro }: Fixture): LearnerOptions => ({
  batch: micro,
  sequence: length,
  threads: 1,
  engine: 'cpu',
  seed: 5,
  documents: true,
  parallel,
});

/** What a world must be opened with for it. */
export const fixtureMailbox = (of: Fixture) => mailboxOf(configOf(of), optionsOf(of));

/** Row k: between 9 tokens and all in two documents, a seventh of them without loss. */
function fillRow(k: number, { vocabulary, length }: Fixture, into: Batch, row: number): void {
  const used = 9 + ((k * 7) % (length - 8));
  const token = (i: number) => (k * 31 + i * i * (k + 3) + 5 * i) % vocabulary;
  for (let i = 0, at = row * length; i < length; i++, at++) {
    into.tokens[at] = i < used ? token(i) : 0;
    into.targets[at] = i < used && (i + k) % 7 !== 0 ? token(i + 1) : -1;
    into.documents![at] = i < used / 3 ? 0 : 1;
  }
}

/** Gradients of ½ Σ (v − mean / 2)² over the places of all slots: each depends on what the model says in the others. */
function accumulateWeighed(learner: Learner, slots: number, fill: Fill): LossSum {
  const sums = new Float64Array(slots);
  learner.values(slots, fill, (slot, values) => {
    for (const v of values) sums[slot]! += v / values.length;
  });
  const mean = learner.sum(sums).reduce((a, b) => a + b, 0) / slots;
  const losses = new Float64Array(slots);
  const { tokens } = learner.accumulate(slots, fill, (slot, values, scales) => {
    for (let i = 0; i < values.length; i++) {
      const away = values[i] === 0 ? 0 : values[i]! - mean / 2;
      scales[i] = away;
      losses[slot]! += away ** 2 / 2;
    }
  });
  return { lossSum: learner.sum(losses).reduce((a, b) => a + b, 0), tokens };
}

/** Runs it on this rank; the course is the same on all. */
export async function runFixture(of: Fixture, world: World): Promise<Course> {
  const learner = openLearner(configOf(of), optionsOf(of), world);
  const course: Course = { losses: [], norms: [], seconds: [] };
  const done = of.from === undefined ? 0 : loadCheckpoint(of.from, learner).step;
  for (let step = done + 1; step <= of.steps; step++) {
    const started = performance.now();
    const slots = of.rows / of.micro;
    const fill: Fill = (slot, into) => {
      for (let i = 0; i < of.micro; i++) fillRow(slot * of.micro + i, of, into, i);
    };
    const { lossSum, tokens } = of.weighed ? accumulateWeighed(learner, slots, fill) : learner.accumulate(slots, fill);
    const { gradientNorm } = learner.update({
      step,
      learningRate: 1e-3,
      gradientScale: 1 / tokens,
      clip: 0.3,
      beta1: 0.9,
      beta2: 0.95,
      epsilon: 1e-8,
      weightDecay: 0.1,
    });
    course.losses.push(lossSum / tokens);
    course.norms.push(gradientNorm);
    course.seconds.push((performance.now() - started) / 1000);
    if (step !== of.save?.at) continue;
    const state = { step, samples: step * of.rows, tokens: 0, seed: 5, recipe: 'fixture' };
    if (world.rank === 0) await saveCheckpoint(of.save.folder, { learner, state, end: 0, beside: {} });
    else lendTensors(learner);
  }
  world.barrier();
  learner.close();
  return course;
}
