import type { Inputs } from '../../core/stage/index.ts';
import { grpoMethod } from '../align/grpo.ts';
import { policyObjective } from '../align/policy.ts';
import type { GrpoSection } from '../align/policy-recipe.ts';
import { preparePolicy, type PolicyParams } from './prepare-policy.ts';
import type { Training } from './training.ts';

/** The section with the run's name filled in, and its prompts by path and content. */
export type GrpoParams = PolicyParams<GrpoSection>;

/** Makes a GRPO training; alike on every rank. */
export async function prepareGrpo(lake: string, p: GrpoParams, inputs: Inputs): Promise<Training> {
  const { setup, shape, training } = await preparePolicy('grpo', lake, p, inputs);
  const method = grpoMethod(
    {
      clip: p.clip_ratio,
      beta: p.kl,
      scaled: p.scale,
      aggregate: p.aggregate,
      epochs: p.epochs,
      parts: p.parts,
      group: p.answers,
      tokens: p.tokens,
      seed: p.seed,
      shape,
    },
    training.plan,
  );
  return { ...training, objective: policyObjective(setup, method) };
}
