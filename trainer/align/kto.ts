import type { Learner } from '../parallel/learner.ts';
import type { Learned, Measure, Objective } from '../stages/objective.ts';
import { answerPiece, type Answer } from './answers.ts';
import type { Labelled } from './pairs.ts';
import { askedOf, layPieces, sumsOf, sumsOfMany, type Piece, type PieceShape } from './pieces.ts';
import { kto, ktoReference } from './preference-losses.ts';
import { keptNumbers } from './reference.ts';
import { itemStream } from './stream.ts';

export interface KtoPlan {
  beta: number;
  weights: { good: number; bad: number };
  answers: readonly Labelled[];
  train: readonly number[];
  held: readonly number[];
  steps: number;
  /** Answers of a step, at least 2. */
  batch: number;
  seed: number;
  validateEvery: number;
  shape: PieceShape;
}

const meanOf = (values: readonly number[]): number =>
  values.reduce((sum, v) => sum + v, 0) / Math.max(1, values.length);

/** A prompt with the answer to another one; the answer loses its end where both are too long. */
const mismatched = (prompt: Answer, answer: Answer, room: number): Piece => {
  const before = prompt.ids.slice(0, prompt.prompt);
  return answerPiece({
    ids: [...before, ...answer.ids.slice(answer.prompt)].slice(0, room),
    prompt: before.length,
    cut: false,
  });
};

/**
 * KTO. The plan of batches is fixed by the seed, so the reference's log-probabilities are worked out once for every answer and,
 * batch by batch, for each prompt with the answer that follows in the batch, from which z is estimated.
 */
export function ktoObjective(plan: KtoPlan): Objective {
  const { answers, train, held, steps, batch, beta, weights, shape } = plan;
  const stream = itemStream(train, batch, plan.seed);
  const pieces = answers.map((a) => answerPiece(a.answer));
  const asked = pieces.map(askedOf);
  const others = (mine: readonly number[]): Piece[] =>
    mine.map((i, at) => mismatched(answers[i]!.answer, answers[mine[(at + 1) % mine.length]!]!.answer, shape.sequence));
  let own: Float64Array = new Float64Array(0);
  let crossed: Float64Array = new Float64Array(0);

  const lossOf = (i: number, sum: number, z: number) => {
    const delta = own[i]! - sum;
    const { good } = answers[i]!;
    return { delta, good, sum, ...kto(delta, z, good, beta, good ? weights.good : weights.bad) };
  };
  const described = (found: readonly ReturnType<typeof lossOf>[], z: number, of: readonly number[]) => {
    const [good, bad] = [found.filter((f) => f.good), found.filter((f) => !f.good)];
    const mean = (some: typeof found, what: (f: (typeof found)[number]) => number) => meanOf(some.map(what));
    return {
      kl: z,
      margin: beta * (mean(good, (f) => f.delta) - mean(bad, (f) => f.delta)),
      good_reward: beta * mean(good, (f) => f.delta),
      bad_reward: beta * mean(bad, (f) => f.delta),
      good_log_probability: -mean(good, (f) => f.sum),
      bad_log_probability: -mean(bad, (f) => f.sum),
      tokens: meanOf(of.map((i) => asked[i]!)),
    };
  };
  /** z under the weights as they are, from mismatched answers and what the reference says of them. */
  const zOf = (learner: Learner, mine: readonly number[], reference: Float64Array): number => {
    const sums = sumsOf(learner, layPieces(others(mine), shape));
    return ktoReference(Array.from(sums, (s, i) => reference[i]! - s));
  };

  return {
    async begin({ learner, world, scratch }) {
      const kept = { scratch, world };
      own = await keptNumbers(kept, 'reference.f64', pieces.length, () => sumsOfMany(learner, pieces, shape));
      crossed = await keptNumbers(kept, 'mismatched.f64', steps * batch, () => {
        const all = new Float64Array(steps * batch);
        for (let step = 1; step <= steps; step++)
          all.set(sumsOf(learner, layPieces(others(stream(step)), shape)), (step - 1) * batch);
        return all;
      });
    },

    learn(step, learner): Learned {
      const mine = stream(step);
      const z = zOf(learner, mine, crossed.subarray((step - 1) * batch, step * batch));
      const laid = layPieces(
        mine.map((i) => pieces[i]!),
        shape,
      );
      const sums = sumsOf(learner, laid);
      const found = mine.map((i, at) => lossOf(i, sums[at]!, z));
      const { tokens } = learner.accumulate(
        laid.slots,
        laid.fill((p) => -found[p]!.slope),
      );
      return { loss: meanOf(found.map((f) => f.loss)), weight: batch, tokens, metrics: described(found, z, mine) };
    },

    measure(step, learner): Measure | null {
      if (held.length === 0 || !(step % plan.validateEvery === 0 || step === steps)) return null;
      const sums = sumsOfMany(
        learner,
        held.map((i) => pieces[i]!),
        shape,
      );
      // Held-out answers are few: z is that of the step's batch, which the plan has a reference for.
      const mine = stream(step);
      const z = zOf(learner, mine, crossed.subarray((step - 1) * batch, step * batch));
      const found = held.map((i, at) => lossOf(i, sums[at]!, z));
      const numbers = described(found, z, held);
      return {
        loss: meanOf(found.map((f) => f.loss)),
        bitsPerByte: null,
        metrics: Object.fromEntries(Object.entries(numbers).map(([name, value]) => [`held_out_${name}`, value])),
      };
    },
  };
}
