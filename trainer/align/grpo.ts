import type { Learner } from '../parallel/learner.ts';
import { learningRateAt } from '../schedule/learning-rate.ts';
import type { LoopPlan } from '../stages/loop.ts';
import { answerPiece } from './answers.ts';
import { layPieces, placesOf, type Piece, type PieceShape } from './pieces.ts';
import { grpo, groupAdvantages, type ClipRange } from './policy-losses.ts';
import type { Method } from './policy.ts';
import { partsOf } from './parts.ts';
import type { Attempt } from './rollouts.ts';

export interface GrpoPlan {
  clip: ClipRange;
  /** Weight of k3(π ‖ π_ref) in a token's loss. */
  beta: number;
  /** Advantages are divided by the deviation of their group. */
  scaled: boolean;
  /** What the sum of tokens' losses is divided by: their count, each answer's own, or the most that there can be. */
  aggregate: 'tokens' | 'answers' | 'constant';
  /** Passes over a step's answers, and parts of each: an update each. */
  epochs: number;
  parts: number;
  group: number;
  tokens: number;
  seed: number;
  shape: PieceShape;
}

/** GRPO: an answer is as good as its reward is above the mean of its group. */
export function grpoMethod(p: GrpoPlan, plan: Pick<LoopPlan, 'rate' | 'adam' | 'clip'>): Method {
  const updates = p.epochs * p.parts;
  return {
    updates,
    learn(step, learner, attempts) {
      const advantages = advantagesIn(attempts, p);
      const kept = attempts.flatMap((attempt, i) =>
        attempt.reward === null ? [] : [{ attempt, advantage: advantages[i]!, piece: pieceOf(attempt) }],
      );
      let [losses, clipped, tokens] = [0, 0, 0];
      let weight = 0;
      partsOf(kept, p, step).forEach((part, u) => {
        const laid = layPieces(part.length > 0 ? part.map((k) => k.piece) : [NOTHING], p.shape);
        const now = placesOf(learner, laid);
        const count = part.reduce((n, { attempt }) => n + attempt.ids.length, 0);
        weight = p.aggregate === 'tokens' ? count : part.length * (p.aggregate === 'constant' ? p.tokens : 1);
        let sum = 0;
        const scales = part.map(({ attempt, advantage, piece }, i) => {
          const { ids, logps, references } = attempt;
          const first = piece.tokens.length - ids.length;
          const share = p.aggregate === 'answers' ? 1 / ids.length : 1;
          const scale = new Float64Array(piece.tokens.length);
          for (let t = 0; t < ids.length; t++) {
            const reference = { beta: p.beta, reference: references[t]! };
            const found = grpo(-now[i]![first + t]!, logps[t]!, advantage, p.clip, reference);
            scale[first + t] = -found.slope * share;
            sum += found.loss * share;
            clipped += found.clipped ? 1 : 0;
          }
          return scale;
        });
        learner.accumulate(
          laid.slots,
          laid.fill((piece, place) => scales[piece]![place]!),
        );
        losses += weight > 0 ? sum / weight : 0;
        tokens += count;
        if (u < updates - 1) updateNow(learner, plan, { step, update: (step - 1) * updates + u + 1, weight });
      });
      return {
        loss: losses / updates,
        weight,
        tokens,
        metrics: { clip_fraction: tokens > 0 ? clipped / tokens : 0 },
        advantages,
        values: null,
      };
    },
  };
}

/** Rows without a target, where no answer is left to learn from. */
export const NOTHING: Piece = { tokens: [0], targets: [-1] };

/** An answer under its prompt. */
export const pieceOf = ({ prompt, ids }: Attempt): Piece =>
  answerPiece({ ids: [...prompt.ids, ...ids], prompt: prompt.ids.length, cut: false });

/** An update within a step; the last one of a step is the loop's. */
export function updateNow(
  learner: Learner,
  plan: Pick<LoopPlan, 'rate' | 'adam' | 'clip'>,
  { step, update, weight }: { step: number; update: number; weight: number },
): void {
  learner.update({
    step: update,
    learningRate: learningRateAt(step - 1, plan.rate),
    gradientScale: weight > 0 ? 1 / weight : 0,
    clip: plan.clip,
    ...plan.adam,
  });
}

/** Of each attempt, over those of its group that have a reward; null without one. */
function advantagesIn(
  attempts: readonly Attempt[],
  { group, scaled }: Pick<GrpoPlan, 'group' | 'scaled'>,
): (number | null)[] {
  const advantages = attempts.map((): number | null => null);
  for (let from = 0; from < attempts.length; from += group) {
    const judged = Array.from({ length: group }, (_, k) => from + k).filter((i) => attempts[i]!.reward !== null);
    const found = groupAdvantages(
      judged.map((i) => attempts[i]!.reward!),
      scaled,
    );
    judged.forEach((i, k) => (advantages[i] = found.advantages[k]!));
  }
  return advantages;
}
