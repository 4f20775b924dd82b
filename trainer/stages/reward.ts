import { defineStage } from '../../core/stage/index.ts';
import type { RewardSection } from '../align/recipe.ts';
import { NOT_IN_KEY } from './plan.ts';
import { dataFiles } from './prepare-align.ts';
import type { RewardParams } from './prepare-reward.ts';
import { runOverRanks } from './ranks.ts';

/** A model and preference pairs → a reward model: steps, metrics, held-out.jsonl and checkpoints of a run. */
export default defineStage<{ name: string; reward?: RewardSection }, RewardParams>({
  name: 'reward',
  version: 1,
  module: 'trainer/stages/reward',
  inputs: ['tokenizer', 'pretrain', 'finetune'],
  params: ({ name, reward: p }) =>
    p === undefined ? null : { ...p, name: p.name ?? `${name}-reward`, data: dataFiles(p.data) },
  // The content of the data names it, not its path.
  units: (params) => [
    { name: 'reward', version: 1, params: { ...params, ...NOT_IN_KEY, data: params.data.map((f) => f.sha256) } },
  ],
  tasks: () => [{ id: 'train', input: null }],
  run: (_task, params, context) => runOverRanks({ stage: 'reward', params }, context),
});
