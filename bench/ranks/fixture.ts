import { configOfDepth, type ModelConfig } from '../../trainer/model/config.ts';
import type { Learner } from '../../trainer/parallel/learner.ts';
import type { World } from '../../trainer/collectives/group.ts';
import type { Mesh } from '../../trainer/parallel/mesh.ts';
import { mailboxOf, openLearner, type LearnerOptions } from '../../trainer/parallel/open.ts';
import { ALONE, type ParallelOptions } from '../../trainer/parallel/options.ts';

/**
 * A training that shows every known fault of a mesh (and is blind to none): 16 ragged, masked sequences learned by heart at a
 * rate of 1e-3 with clipping active, in micro-batches of one. Rates above make chaos of the last bits, rates below hide faults.
 */
export interface Fixture {
  parallel: ParallelOptions;
  layers: number;
  keyValueHeads: number;
  steps: number;
  tied: boolean;
}

export interface Course {
  losses: number[];
  norms: number[];
}

const SEQUENCES = 16;
const LENGTH = 32;
const VOCABULARY = 257;

export const fixture = (
  more: Partial<Omit<Fixture, 'parallel'>> & { mesh?: Mesh } & Partial<ParallelOptions> = {},
): Fixture => {
  const { layers = 8, keyValueHeads = 8, steps = 50, tied = true, ...parallel } = more;
  return { layers, keyValueHeads, steps, tied, parallel: { ...ALONE, ...parallel } };
};

const configOf = ({ layers, keyValueHeads, tied }: Fixture): ModelConfig =>
  configOfDepth(layers, {
    vocabulary: VOCABULARY,
    context: LENGTH,
    width: 64,
    heads: 8,
    keyValueHeads,
    headSize: 8,
    feedForward: 128,
    tiedEmbeddings: tied,
  });

const optionsOf = ({ parallel }: Fixture): LearnerOptions => ({
  batch: 1,
  sequence: LENGTH,
  threads: 1,
  engine: 'cpu',
  seed: 5,
  documents: true,
  parallel,
});

/** What a world must be opened with for it. */
export const fixtureMailbox = (of: Fixture) => mailboxOf(configOf(of), optionsOf(of));

/** Sequence k: between 9 and 32 tokens in two documents, a seventh of them without loss. */
function fillSequence(
  k: number,
  into: { tokens: Int32Array; targets: Int32Array; documents: Int32Array | null },
): void {
  const length = 9 + ((k * 7) % 24);
  const token = (i: number) => (k * 31 + i * i * (k + 3) + 5 * i) % VOCABULARY;
  for (let i = 0; i < LENGTH; i++) {
    into.tokens[i] = i < length ? token(i) : 0;
    into.targets[i] = i < length && (i + k) % 7 !== 0 ? token(i + 1) : -1;
    if (into.documents) into.documents[i] = i < length / 3 ? 0 : 1;
  }
}

/** Runs it on this rank; the course is the same on all. `each` is called after every step. */
export function runFixture(of: Fixture, world: World, each?: (step: number, learner: Learner) => void): Course {
  const learner = openLearner(configOf(of), optionsOf(of), world);
  const course: Course = { losses: [], norms: [] };
  for (let step = 1; step <= of.steps; step++) {
    const { lossSum, tokens } = learner.accumulate(SEQUENCES, fillSequence);
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
    each?.(step, learner);
  }
  learner.close();
  return course;
}
