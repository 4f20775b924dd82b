import type { Learner } from '../parallel/learner.ts';
import type { Conclusion, Learned, Measure, Objective } from '../stages/objective.ts';
import { prefixPiece, scorePiece } from './answers.ts';
import { heldOutLines, reportHeldOut, type HeldOutPair } from './held-out.ts';
import { ngramMargins } from './ngrams.ts';
import type { Pair } from './pairs.ts';
import { layPieces, placesOf, sumsOfMany, type PieceShape } from './pieces.ts';
import { bradleyTerry, calibrationError } from './preference-losses.ts';
import { itemStream, type Course } from './stream.ts';

export interface RewardPlan {
  pairs: readonly Pair[];
  courses: readonly Course[];
  /** Of each course [updates]. */
  steps: number;
  /** Pairs of a step. */
  batch: number;
  seed: number;
  /** Weight of (r_w + r_l)². */
  centre: number;
  /** Beginnings of both answers that are compared, the whole ones among them. */
  prefixes: number;
  validateEvery: number;
  shape: PieceShape;
}

/** Above so many pairs the regression that stands beside would take minutes. */
const MOST_FOR_NGRAMS = 20_000;

const meanOf = (values: readonly number[]): number =>
  values.reduce((sum, v) => sum + v, 0) / Math.max(1, values.length);

/** The objective of a reward model: Bradley–Terry on pairs and on their beginnings, a step of `batch` pairs divided by their count. */
export function rewardObjective(plan: RewardPlan): Objective {
  const { pairs, courses, steps, batch, seed, centre, prefixes, shape } = plan;
  const within = (step: number) => ((step - 1) % steps) + 1;
  const courseAt = (step: number) => Math.floor((step - 1) / steps);
  const streams = courses.map(({ train }) => itemStream(train, batch, seed));
  const piecesOf = (chosen: readonly Pair[]) => [
    ...chosen.map((p) => scorePiece(p.chosen)),
    ...chosen.map((p) => scorePiece(p.rejected)),
  ];

  function learn(step: number, learner: Learner): Learned {
    const mine = streams[courseAt(step)]!(within(step)).map((i) => pairs[i]!);
    const asked = [...mine.map((p) => p.chosen), ...mine.map((p) => p.rejected)].map((a) => prefixPiece(a, prefixes));
    const laid = layPieces(
      asked.map((a) => a.piece),
      shape,
    );
    const values = placesOf(learner, laid);
    const slopes = values.map((v) => new Float64Array(v.length));
    let loss = 0;
    for (let i = 0; i < batch; i++)
      for (let k = 0; k < prefixes; k++) {
        const [up, down] = [asked[i]!.places[k]!, asked[i + batch]!.places[k]!];
        const found = bradleyTerry(values[i]![up]!, values[i + batch]![down]!, { centre });
        loss += found.loss / prefixes / batch;
        // Short answers ask several times at one place.
        slopes[i]![up]! += found.chosen / prefixes;
        slopes[i + batch]![down]! += found.rejected / prefixes;
      }
    const { tokens } = learner.accumulate(
      laid.slots,
      laid.fill((p, place) => slopes[p]![place]!),
    );
    return { loss, weight: batch, tokens, metrics: described(Float64Array.from(values, (v) => v.at(-1)!)) };
  }

  function measure(step: number, learner: Learner): Measure | null {
    const course = courseAt(step);
    const at = within(step);
    const held = courses[course]!.held.map((i) => pairs[i]!);
    const ends = at === steps;
    if (held.length === 0 || !(ends || (courses.length === 1 && at % plan.validateEvery === 0))) return null;
    const scores = sumsOfMany(learner, piecesOf(held), shape);
    const numbers = described(scores);
    const losses = held.map((_, i) => bradleyTerry(scores[i]!, scores[i + held.length]!, { centre }).loss);
    const words =
      ends && pairs.length <= MOST_FOR_NGRAMS ? ngramMargins(pairs, courses[course]!, seed) : held.map(() => null);
    const lines = held.map(({ id, source, lengths }, i): HeldOutPair => ({
      id,
      source,
      fold: course,
      chosen: scores[i]!,
      rejected: scores[i + held.length]!,
      chosen_length: lengths.chosen,
      rejected_length: lengths.rejected,
      ngrams: words[i]!,
    }));
    return {
      loss: meanOf(losses),
      bitsPerByte: null,
      metrics: Object.fromEntries(Object.entries(numbers).map(([name, value]) => [`held_out_${name}`, value])),
      ...(ends && { lines: { 'held-out': lines } }),
    };
  }

  function conclude(lines: (journal: string) => { step: number }[]): Conclusion {
    const held = lines('held-out') as ({ step: number } & HeldOutPair)[];
    if (held.length === 0) return { facts: {}, notices: [] };
    const report = reportHeldOut(held);
    return { facts: { held_out: report }, notices: heldOutLines(report) };
  }

  return { journals: ['held-out'], within, learn, measure, conclude };
}

/** Scores of chosen answers, then of the rejected ones, in numbers. */
function described(scores: Float64Array): Record<string, number> {
  const half = scores.length / 2;
  const [chosen, rejected] = [[...scores.subarray(0, half)], [...scores.subarray(half)]];
  const margins = chosen.map((c, i) => c - rejected[i]!);
  return {
    accuracy: meanOf(margins.map((m) => (m > 0 ? 1 : m === 0 ? 0.5 : 0))),
    calibration_error: calibrationError(margins),
    margin: meanOf(margins),
    chosen_score: meanOf(chosen),
    rejected_score: meanOf(rejected),
  };
}
