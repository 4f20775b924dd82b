import { answerKl, meanOf, rollOut, type RolloutParts } from './rollouts.ts';
import type { Prompt } from './prompts.ts';

/** What a model does on the prompts on which checkpoints are compared. */
export interface Selection {
  /** Steps done. */
  after: number;
  /** Share of answers that are right, sampled at temperature 1, and greedy; null without a checker among the rewards. */
  pass_1: number | null;
  pass_greedy: number | null;
  /** Mean reward, sampled and greedy. */
  reward: number;
  reward_greedy: number;
  /** From the first weights [nats an answer]. */
  kl: number;
  /** Mean length [tokens]. */
  length: number;
}

/** Samples answers to the prompts, the same draws each time, and judges them. */
export function selectionOf(
  after: number,
  prompts: readonly Prompt[],
  { seed, answers }: { seed: number; answers: number },
  parts: RolloutParts,
): Selection {
  const sampled = rollOut(prompts, { group: answers, seed }, parts);
  const greedy = rollOut(prompts, { group: 1, seed, temperature: 0 }, parts);
  const checker = parts.rewards.findIndex((r) => r.checks);
  const pass = (of: typeof sampled) =>
    checker < 0 ? null : meanOf(of.map((a) => (a.fault === null && a.rewards[checker]! >= 1 ? 1 : 0)));
  const reward = (of: typeof sampled) => meanOf(of.flatMap((a) => (a.reward === null ? [] : [a.reward])));
  return {
    after,
    pass_1: pass(sampled),
    pass_greedy: pass(greedy),
    reward: reward(sampled),
    reward_greedy: reward(greedy),
    kl: meanOf(sampled.map(answerKl)),
    length: meanOf(sampled.map((a) => a.ids.length)),
  };
}

/**
 * The checkpoint with the best answers at temperature 1 of those that stayed within `mostKl` of the first weights; where none
 * did, the one that stayed nearest. Of equal ones the earliest. What the model was before is none.
 */
export function bestOf(all: readonly Selection[], mostKl: number): Selection | null {
  const made = all.filter((s) => s.after > 0);
  const within = made.filter((s) => s.kl <= mostKl);
  const value = (s: Selection) => (within.length > 0 ? (s.pass_1 ?? s.reward) : -s.kl);
  return (within.length > 0 ? within : made).reduce<Selection | null>(
    (best, s) => (best === null || value(s) > value(best) ? s : best),
    null,
  );
}
