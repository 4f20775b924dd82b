import { GarnerError } from '../../core/errors.ts';
import type { Inputs } from '../../core/stage/index.ts';
import { inWords } from '../align/pairs.ts';
import type { PieceShape } from '../align/pieces.ts';
import type { PolicySetup } from '../align/policy.ts';
import type { GrpoSection } from '../align/policy-recipe.ts';
import { promptSplits } from '../align/prompts.ts';
import { refusalDecision } from '../data/read.ts';
import { rewardsOf } from '../align/rewards.ts';
import { openScore } from '../align/score.ts';
import { rewardModel } from './reward-model.ts';
import { dataFiles, openBase, planPacked, type Base, type DataFile } from './prepare-align.ts';
import type { Training } from './training.ts';

/** What both sections say alike. */
type Sampled = Omit<GrpoSection, 'kl' | 'scale' | 'aggregate'>;

/** A section with the run's name filled in, and its prompts by path and content. */
export type PolicyParams<S extends Sampled = Sampled> = Omit<S, 'name' | 'prompts'> & {
  name: string;
  prompts: 'sums' | DataFile;
};

/** The prompts of a section as parameters. */
export const promptsFrom = (prompts: string): 'sums' | DataFile =>
  prompts === 'sums' ? 'sums' : dataFiles(prompts)[0]!;

/** What both methods need of the section and its inputs; alike on every rank. */
export async function preparePolicy(
  stage: 'grpo' | 'ppo',
  lake: string,
  p: PolicyParams,
  inputs: Inputs,
): Promise<{ setup: PolicySetup; shape: PieceShape; base: Base; training: Omit<Training, 'objective'> }> {
  const base = openBase(stage, p.from, lake, inputs);
  const { config, vocabulary, chat } = base;
  const sequence = Math.min(p.sequence ?? config.context, config.context);
  const room = sequence - p.tokens;
  if (room < 1)
    throw new GarnerError({
      what: `answers of ${p.tokens} tokens in rows of ${sequence}`,
      where: stage,
      hint: `lower ${stage}.tokens`,
      fault: 2,
    });
  const prompts = await promptSplits(p.prompts, chat, { seed: p.seed, held: p.selection.prompts, room });
  const longest = prompts.train.reduce((n, { ids }) => Math.max(n, ids.length), 0);
  const { plan, learner, shape } = planPacked(stage, { ...p, validation: { every: p.selection.every } }, config, {
    steps: p.steps,
    course: p.steps,
    sequence,
    tokens: p.answers * (longest + p.tokens / 2),
    padding: vocabulary.endOfText,
  });
  const rewards = rewardsOf(p.rewards);
  const model = rewards.some((r) => r.reward === null) ? rewardModel(stage, lake, inputs, base) : null;
  const setup: PolicySetup = {
    stage,
    run: p.name,
    config,
    vocabulary,
    mesh: learner.parallel.mesh,
    threads: () => learner.threads,
    engine: learner.engine,
    seed: p.seed,
    steps: p.steps,
    prompts,
    rewards,
    openScore: model === null ? null : () => openScore(model, { ...shape, data: 1 }, learner),
    batch: p.batch,
    group: p.answers,
    tokens: p.tokens,
    stop: [...new Set([chat.end, vocabulary.endOfText])],
    selection: { every: p.selection.every, answers: p.selection.answers, mostKl: p.selection.most_kl },
    shuffled: p.shuffle_rewards,
  };
  const refused = prompts.refused.length;
  const reasons: Record<string, number> = {};
  for (const { reason } of prompts.refused) reasons[reason] = (reasons[reason] ?? 0) + 1;
  return {
    setup,
    shape,
    base,
    training: {
      config,
      plan,
      learner,
      vocabulary,
      weights: base.checkpoint,
      checkpoint: { every: p.selection.every, keep: 1 },
      sampling: { every: plan.steps, prompts: [], tokens: 1, temperature: 0, topK: 0 },
      end: chat.end,
      beside: base.beside,
      found: {
        counts: { prompts: prompts.train.length, selection: prompts.selection.length, refused },
        notices: refused > 0 ? [`${refused} prompts are left out (${inWords(reasons)})`] : [],
        decisions: prompts.refused.map((r) => refusalDecision(stage, r)),
      },
    },
  };
}
