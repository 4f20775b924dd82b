import type { Learner } from '../parallel/learner.ts';
import type { Conclusion, Learned, Measure, Objective } from '../stages/objective.ts';
import { answerPiece } from './answers.ts';
import type { Pair } from './pairs.ts';
import { askedOf, layPieces, placesOf, sumsOf, sumsOfMany, type Piece, type PieceShape } from './pieces.ts';
import { k3 } from './policy-losses.ts';
import { dpo, ipo, type Sloped } from './preference-losses.ts';
import { keptNumbers } from './reference.ts';
import { itemStream, type Course } from './stream.ts';

export interface PreferPlan {
  loss: 'dpo' | 'ipo';
  beta: number;
  smoothing: number;
  pairs: readonly Pair[];
  courses: readonly Course[];
  /** Of each course [updates]. */
  steps: number;
  /** Pairs of a step. */
  batch: number;
  seed: number;
  validateEvery: number;
  shape: PieceShape;
}

const meanOf = (values: readonly number[]): number =>
  values.reduce((sum, v) => sum + v, 0) / Math.max(1, values.length);

/** Pieces of pairs: first all chosen answers, then all rejected ones. */
const piecesOf = (pairs: readonly Pair[]): Piece[] => [
  ...pairs.map((p) => answerPiece(p.chosen)),
  ...pairs.map((p) => answerPiece(p.rejected)),
];

/** How a pair's log-probabilities stand to those of the reference. */
interface Standing {
  loss: number;
  /** dL/d(−ln p) of each token of the chosen and of the rejected answer. */
  chosenSlope: number;
  rejectedSlope: number;
  /** β · (ln π/π_ref): the implicit rewards. */
  chosenReward: number;
  rejectedReward: number;
  chosen: number;
  rejected: number;
}

/** DPO and IPO: pairs against the model that the run began with, whose log-probabilities are worked out once. */
export function preferObjective(plan: PreferPlan): Objective {
  const { pairs, courses, steps, batch, beta, shape } = plan;
  const within = (step: number) => ((step - 1) % steps) + 1;
  const courseAt = (step: number) => Math.floor((step - 1) / steps);
  const streams = courses.map(({ train }) => itemStream(train, batch, plan.seed));
  const pieces = piecesOf(pairs);
  const asked = pieces.map(askedOf);
  let reference: Float64Array = new Float64Array(0);
  /** Token by token, of each pair that is ever held out: of its chosen and its rejected answer. */
  const heldPlaces = new Map<number, [Float64Array, Float64Array]>();

  /** From −ln p of pair i's answers. */
  function standing(i: number, chosen: number, rejected: number): Standing {
    const j = i + pairs.length;
    const [up, down] = [reference[i]! - chosen, reference[j]! - rejected];
    const [n, m] = plan.loss === 'ipo' ? [Math.max(1, asked[i]!), Math.max(1, asked[j]!)] : [1, 1];
    const h = up / n - down / m;
    const { loss, slope }: Sloped = plan.loss === 'ipo' ? ipo(h, beta) : dpo(h, beta, plan.smoothing);
    return {
      loss,
      chosenSlope: -slope / n,
      rejectedSlope: slope / m,
      chosenReward: beta * up,
      rejectedReward: beta * down,
      chosen: -chosen,
      rejected: -rejected,
    };
  }

  function described(found: readonly Standing[], of: readonly number[]): Record<string, number> {
    return {
      margin: meanOf(found.map((f) => f.chosenReward - f.rejectedReward)),
      accuracy: meanOf(found.map((f) => compared(f.chosenReward, f.rejectedReward))),
      chosen_reward: meanOf(found.map((f) => f.chosenReward)),
      rejected_reward: meanOf(found.map((f) => f.rejectedReward)),
      chosen_log_probability: meanOf(found.map((f) => f.chosen)),
      rejected_log_probability: meanOf(found.map((f) => f.rejected)),
      chosen_tokens: meanOf(of.map((i) => asked[i]!)),
      rejected_tokens: meanOf(of.map((i) => asked[i + pairs.length]!)),
    };
  }

  return {
    journals: ['held-out'],
    within,
    async begin({ learner, world, scratch }) {
      const kept = { scratch, world };
      reference = await keptNumbers(kept, 'reference.f64', pieces.length, () => sumsOfMany(learner, pieces, shape));
      const held = [...new Set(courses.flatMap((c) => c.held))];
      if (held.length === 0) return;
      const laid = layPieces(piecesOf(held.map((i) => pairs[i]!)), shape);
      const size = laid.pieces.reduce((n, p) => n + p.tokens.length, 0);
      const flat = await keptNumbers(kept, 'reference-places.f64', size, () => joined(placesOf(learner, laid)));
      let at = 0;
      const places = laid.pieces.map(({ tokens }) => flat.subarray(at, (at += tokens.length)));
      held.forEach((i, p) => heldPlaces.set(i, [places[p]!, places[p + held.length]!]));
    },

    learn(step, learner: Learner): Learned {
      const mine = streams[courseAt(step)]!(within(step));
      const laid = layPieces(piecesOf(mine.map((i) => pairs[i]!)), shape);
      const sums = sumsOf(learner, laid);
      const found = mine.map((i, at) => standing(i, sums[at]!, sums[at + batch]!));
      const { tokens } = learner.accumulate(
        laid.slots,
        laid.fill((p) => (p < batch ? found[p]!.chosenSlope : found[p - batch]!.rejectedSlope)),
      );
      return { loss: meanOf(found.map((f) => f.loss)), weight: batch, tokens, metrics: described(found, mine) };
    },

    measure(step, learner: Learner): Measure | null {
      const { held } = courses[courseAt(step)]!;
      const ends = within(step) === steps;
      if (held.length === 0 || !(ends || (courses.length === 1 && step % plan.validateEvery === 0))) return null;
      const places = placesOf(learner, layPieces(piecesOf(held.map((i) => pairs[i]!)), shape));
      const sums = places.map((values) => values.reduce((a, b) => a + b, 0));
      const found = held.map((i, at) => standing(i, sums[at]!, sums[at + held.length]!));
      const lines = held.map((i, at) => ({
        id: pairs[i]!.id,
        source: pairs[i]!.source,
        fold: courseAt(step),
        chosen_reward: found[at]!.chosenReward,
        rejected_reward: found[at]!.rejectedReward,
        chosen_log_probability: found[at]!.chosen,
        rejected_log_probability: found[at]!.rejected,
      }));
      const before = [0, 1].flatMap((side) => held.map((i) => heldPlaces.get(i)![side]!));
      const numbers = { ...described(found, held), kl: klOnData(places, before) };
      return {
        loss: meanOf(found.map((f) => f.loss)),
        bitsPerByte: null,
        metrics: Object.fromEntries(Object.entries(numbers).map(([name, value]) => [`held_out_${name}`, value])),
        ...(ends && { lines: { 'held-out': lines } }),
      };
    },

    conclude: (lines) => concluded(lines('held-out') as (HeldOutMargin & { step: number })[]),
  };
}

/**
 * Nats by which an answer's tokens have moved, by k3 of ln π − ln π_ref on the held-out answers: an estimate of KL(π_ref ‖ π) an
 * answer, as far as the reference might have written them. −ln p of each place, now and under the reference.
 */
function klOnData(now: readonly Float64Array[], reference: readonly Float64Array[]): number {
  // The data stands in for samples of the reference: so its log-probability is the first.
  return meanOf(now.map((values, p) => values.reduce((sum, v, i) => sum + k3(-reference[p]![i]!, -v), 0)));
}

function joined(lists: readonly Float64Array[]): Float64Array {
  const all = new Float64Array(lists.reduce((n, l) => n + l.length, 0));
  let at = 0;
  for (const list of lists) {
    all.set(list, at);
    at += list.length;
  }
  return all;
}

const compared = (a: number, b: number): number => (a > b ? 1 : a === b ? 0.5 : 0);

interface HeldOutMargin {
  chosen_reward: number;
  rejected_reward: number;
}

/** Share of held-out pairs with a positive margin, and its standard error. */
function concluded(held: readonly HeldOutMargin[]): Conclusion {
  if (held.length === 0) return { facts: {}, notices: [] };
  const right = held.map((p) => compared(p.chosen_reward, p.rejected_reward));
  const accuracy = meanOf(right);
  const error = Math.sqrt(
    right.reduce((sum, r) => sum + (r - accuracy) ** 2, 0) / Math.max(1, held.length - 1) / held.length,
  );
  return {
    facts: { held_out: { pairs: held.length, accuracy, standard_error: error } },
    notices: [
      `margin above 0 on ${(100 * accuracy).toFixed(1)} ± ${(100 * error).toFixed(1)} % of ${held.length} held-out pairs`,
    ],
  };
}
