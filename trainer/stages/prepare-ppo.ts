import type { Inputs } from '../../core/stage/index.ts';
import { policyObjective } from '../align/policy.ts';
import type { PpoSection } from '../align/policy-recipe.ts';
import { ppoMethod } from '../align/ppo.ts';
import { scoring } from '../model/config.ts';
import { rateOf } from './plan.ts';
import { preparePolicy, type PolicyParams } from './prepare-policy.ts';
import { rewardModel } from './reward-model.ts';
import type { Training } from './training.ts';

/** The section with the run's name filled in, and its prompts by path and content. */
export type PpoParams = PolicyParams<PpoSection>;

/** Makes a PPO training; alike on every rank. */
export async function preparePpo(lake: string, p: PpoParams, inputs: Inputs): Promise<Training> {
  const { setup, shape, base, training } = await preparePolicy('ppo', lake, p, inputs);
  const model = p.value.from === 'reward' ? rewardModel('ppo', lake, inputs, base) : null;
  const method = ppoMethod(
    {
      clip: p.clip_ratio,
      kl: p.kl,
      gamma: p.gamma,
      lambda: p.lambda,
      epochs: p.epochs,
      parts: p.parts,
      seed: p.seed,
      shape,
      value: {
        config: model?.config ?? scoring(base.config),
        weights: model?.checkpoint ?? base.checkpoint,
        learner: training.learner,
        rate: rateOf(p.value.learning_rate, p.steps),
        clip: p.value.clip,
      },
    },
    training.plan,
  );
  return { ...training, objective: policyObjective(setup, method) };
}
