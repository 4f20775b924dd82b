import { REWARDS } from '../../trainer/align/rewards.ts';
import type { Asked } from '../../trainer/align/sums.ts';
import { openScorer } from '../../trainer/align/scorer.ts';
import { openAnswerer, type Given } from './answers.ts';

/** What a model does on prompts that no training saw. */
export interface Standing {
  /** Share of sums that are right: the likeliest answer, and one that is sampled at temperature 1. */
  greedy: number;
  sampled: number;
  /** Share of answers in a full sentence, of the likeliest ones to sums. */
  sentences: number;
  /** Σ ln π/π_ref of sampled answers, the mean [nats an answer]; 0 for the reference. */
  kl: number;
  /** Share of sampled answers that the reward model likes better than the reference's to the same prompt; equal ones count half. */
  wins: number | null;
  /** The likeliest answers to the prompts that are shown. */
  shown: string[];
}

interface Tested {
  /** Checkpoint by the name of its stage; the first one is the reference. */
  models: readonly (readonly [stage: string, checkpoint: string])[];
  reward: string | null;
  asked: readonly Asked[];
  shown: readonly Asked[];
  threads: number;
}

/** Holds models against the first of them, on the same prompts with the same draws. */
export function measureModels({ models, reward, asked, shown, threads }: Tested): Map<string, Standing> {
  const sums = asked.filter((a) => a.reference !== null);
  const check = REWARDS.sum.make();
  const right = (given: readonly Given[]) => mean(given.map((g) => check(answeredOf(g))));
  const [, first] = models[0]!;
  const reference = openAnswerer(first, threads);
  const scorer = reward === null ? null : openScorer(reward, { threads });
  const rewardsOf = (given: readonly Given[]) =>
    scorer
      ?.score(given.map((g) => ({ prompt: g.asked.turns, answer: g.text })))
      .map((s) => ('reward' in s ? s.reward : -Infinity)) ?? null;
  try {
    const before = rewardsOf(reference.answer(asked, 1));
    return new Map(
      models.map(([stage, checkpoint]) => {
        const model = openAnswerer(checkpoint, threads);
        try {
          const greedy = model.answer(sums, 0);
          const sampled = model.answer(asked, 1);
          const after = rewardsOf(sampled);
          const references = reference.logps(sampled);
          return [
            stage,
            {
              greedy: right(greedy),
              sampled: right(sampled.filter((g) => g.asked.reference !== null)),
              sentences: mean(greedy.map((g) => (/[.。]\s*$/.test(g.text) ? 1 : 0))),
              kl: mean(sampled.map((g, i) => total(g.logps) - total(references[i]!))),
              wins:
                after && before ? mean(after.map((a, i) => (a > before[i]! ? 1 : a === before[i]! ? 0.5 : 0))) : null,
              shown: model.answer(shown, 0).map((g) => g.text),
            },
          ];
        } finally {
          model.close();
        }
      }),
    );
  } finally {
    reference.close();
    scorer?.close();
  }
}

const answeredOf = (g: Given) => ({
  prompt: g.asked.turns,
  answer: g.text,
  reference: g.asked.reference,
  finish: g.ended ? ('stop' as const) : ('tokens' as const),
  tokens: g.ids.length,
});

const total = (numbers: readonly number[]): number => numbers.reduce((sum, n) => sum + n, 0);
const mean = (numbers: readonly number[]): number => total(numbers) / Math.max(1, numbers.length);
