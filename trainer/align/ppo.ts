import { readdirSync, existsSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { lendTensors, loadCheckpoint, loadWeights, saveCheckpoint } from '../checkpoint/checkpoint.ts';
import type { World } from '../collectives/group.ts';
import { alignedMemory } from '../collectives/memory.ts';
import type { ModelConfig } from '../model/config.ts';
import type { Learner } from '../parallel/learner.ts';
import { openLearner, type LearnerOptions } from '../parallel/open.ts';
import type { RateSchedule } from '../schedule/learning-rate.ts';
import type { LoopPlan } from '../stages/loop.ts';
import type { Begin } from '../stages/objective.ts';
import { NOTHING, pieceOf, updateNow } from './grpo.ts';
import { partsOf } from './parts.ts';
import { layPieces, placesOf, type PieceShape } from './pieces.ts';
import { advantagesOf, k1, ppoPolicy, ppoValue, whitened, type ClipRange } from './policy-losses.ts';
import type { Method } from './policy.ts';
import { meanOf, type Attempt } from './rollouts.ts';

export interface PpoPlan {
  clip: ClipRange;
  /** What a nat of distance from the reference costs, token by token. */
  kl: number;
  gamma: number;
  lambda: number;
  epochs: number;
  parts: number;
  seed: number;
  shape: PieceShape;
  value: ValuePlan;
}

/** The value model, and how it learns. */
export interface ValuePlan {
  config: ModelConfig;
  /** Folder of the weights that it begins with. */
  weights: string;
  learner: LearnerOptions;
  rate: RateSchedule;
  /** How far a value may move from the old one. */
  clip: number;
}

/** An answer with what was expected before each token, what came of it, and what to expect instead. */
interface Valued {
  attempt: Attempt;
  piece: ReturnType<typeof pieceOf>;
  olds: number[];
  advantages: number[];
  aims: number[];
}

/** PPO: a token is as good as the rest of its answer earned above what the value model expected. */
export function ppoMethod(p: PpoPlan, plan: Pick<LoopPlan, 'rate' | 'adam' | 'clip'>): Method {
  const updates = p.epochs * p.parts;
  let value: Learner;
  let began: Begin;
  const valuePlan = { ...plan, rate: p.value.rate };
  return {
    updates,
    begin(parts) {
      began = parts;
      value = openLearner(p.value.config, p.value.learner, apart(parts.world));
      if (parts.checkpoint === null) loadWeights(p.value.weights, value);
      else loadCheckpoint(join(parts.scratch, VALUES, basename(parts.checkpoint)), value);
    },
    learn(step, learner, attempts) {
      const all = valuedOf(attempts, value, p);
      const kept = [...all.values()];
      let [losses, valueLosses, clipped, valuesClipped, tokens] = [0, 0, 0, 0, 0];
      let weight = 0;
      partsOf(kept, p, step).forEach((part, u) => {
        const laid = layPieces(part.length > 0 ? part.map((k) => k.piece) : [NOTHING], p.shape);
        const [now, nowValues] = [placesOf(learner, laid), placesOf(value, laid)];
        weight = part.reduce((n, { attempt }) => n + attempt.ids.length, 0);
        let [sum, valueSum] = [0, 0];
        const scales = part.map(({ attempt, piece, olds, advantages, aims }, i) => {
          const first = piece.tokens.length - attempt.ids.length;
          const [policy, values] = [new Float64Array(piece.tokens.length), new Float64Array(piece.tokens.length)];
          attempt.ids.forEach((_, t) => {
            const found = ppoPolicy(-now[i]![first + t]!, attempt.logps[t]!, advantages[t]!, p.clip);
            const valued = ppoValue(nowValues[i]![first + t]!, olds[t]!, aims[t]!, p.value.clip);
            policy[first + t] = -found.slope;
            values[first + t] = valued.slope;
            sum += found.loss;
            valueSum += valued.loss;
            clipped += found.clipped ? 1 : 0;
            valuesClipped += valued.clipped ? 1 : 0;
          });
          return { policy, values };
        });
        const update = (step - 1) * updates + u + 1;
        learner.accumulate(
          laid.slots,
          laid.fill((piece, place) => scales[piece]!.policy[place]!),
        );
        if (u < updates - 1) updateNow(learner, plan, { step, update, weight });
        value.accumulate(
          laid.slots,
          laid.fill((piece, place) => scales[piece]!.values[place]!),
        );
        updateNow(value, valuePlan, { step, update, weight });
        losses += weight > 0 ? sum / weight : 0;
        valueLosses += weight > 0 ? valueSum / weight : 0;
        tokens += weight;
      });
      const found = attempts.map((attempt) => all.get(attempt));
      return {
        loss: losses / updates,
        weight,
        tokens,
        metrics: {
          clip_fraction: tokens > 0 ? clipped / tokens : 0,
          value_loss: valueLosses / updates,
          value_clip_fraction: tokens > 0 ? valuesClipped / tokens : 0,
          value: meanOf(kept.flatMap((k) => k.olds)),
          explained_variance: explained(kept),
        },
        advantages: found.map((v) => (v ? meanOf(v.advantages) : null)),
        values: found.map((v) => v?.olds ?? null),
      };
    },
    async save(step) {
      const { world, scratch, run } = began;
      if (world.rank !== 0) return lendTensors(value);
      const folder = join(scratch, VALUES);
      const policies = join(run, 'checkpoints');
      // Those whose policy is gone go too.
      for (const name of existsSync(folder) ? readdirSync(folder) : [])
        if (!existsSync(join(policies, name))) rmSync(join(folder, name), { recursive: true });
      const state = { step, samples: 0, tokens: 0, seed: p.seed, recipe: 'value' };
      await saveCheckpoint(folder, { learner: value, state, end: 0, beside: {} });
    },
  };
}

/** Folder of the value model's checkpoints in the scratch, named as those of the policy. */
const VALUES = 'values';

/** The same ranks with memory of its own: a world reserves only once, for the policy. */
const apart = (world: World): World => ({ ...world, reserve: (bytes) => alignedMemory(bytes, 0) });

/** What the value model expected of each answer that has a reward, and how far it was wrong; advantages are whitened over all. */
function valuedOf(attempts: readonly Attempt[], value: Learner, p: PpoPlan): Map<Attempt, Valued> {
  const kept = attempts.filter((a) => a.reward !== null);
  const pieces = kept.map(pieceOf);
  const expected = placesOf(value, layPieces(pieces.length > 0 ? pieces : [NOTHING], p.shape));
  const valued = kept.map((attempt, i): Valued => {
    const { ids, logps, references, reward } = attempt;
    const piece = pieces[i]!;
    const olds = [...expected[i]!.subarray(piece.tokens.length - ids.length)];
    const rewards = logps.map((logp, t) => -p.kl * k1(logp, references[t]!) + (t === ids.length - 1 ? reward! : 0));
    return { attempt, piece, olds, ...advantagesOf(rewards, olds, p) };
  });
  const white = whitened(valued.flatMap((v) => v.advantages));
  let at = 0;
  for (const v of valued) v.advantages = v.advantages.map(() => white[at++]!);
  return new Map(valued.map((v) => [v.attempt, v]));
}

/** 1 − var(R − V) / var(R): 1 where values foretell what comes, 0 where they know no more than its mean. */
function explained(kept: readonly Valued[]): number {
  const aims = kept.flatMap((k) => k.aims);
  const off = kept.flatMap((k) => k.aims.map((aim, t) => aim - k.olds[t]!));
  const variance = (of: readonly number[]) => {
    const mean = meanOf(of);
    return meanOf(of.map((x) => (x - mean) ** 2));
  };
  const all = variance(aims);
  return all > 0 ? 1 - variance(off) / all : 0;
}
