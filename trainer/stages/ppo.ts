import { defineStage } from '../../core/stage/index.ts';
import type { PpoSection } from '../align/policy-recipe.ts';
import { ranksOf } from '../parallel/mesh.ts';
import { NOT_IN_KEY, parallelOf } from './plan.ts';
import type { PpoParams } from './prepare-ppo.ts';
import { promptsFrom } from './prepare-policy.ts';
import { runOverRanks } from './ranks.ts';

/** A model and prompts → a model whose answers earn more: steps, metrics, rollouts, selection.jsonl and checkpoints of a run. */
export default defineStage<{ name: string; ppo?: PpoSection }, PpoParams>({
  name: 'ppo',
  version: 1,
  module: 'trainer/stages/ppo',
  inputs: ['tokenizer', 'pretrain', 'finetune', 'reward'],
  params: ({ name, ppo: p }) =>
    p === undefined ? null : { ...p, name: p.name ?? `${name}-ppo`, prompts: promptsFrom(p.prompts) },
  // The content of the prompts names them, not their path.
  units: (params) => [
    {
      name: 'ppo',
      version: 1,
      params: {
        ...params,
        ...NOT_IN_KEY,
        prompts: params.prompts === 'sums' ? params.prompts : params.prompts.sha256,
      },
    },
  ],
  ranks: (p) => ({ ranks: ranksOf(parallelOf('ppo', p).mesh), threads: p.threads ?? 1 }),
  tasks: () => [{ id: 'train', input: null }],
  run: (_task, params, context) => runOverRanks({ stage: 'ppo', params }, context),
});
