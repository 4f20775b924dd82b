import { defineStage } from '../../core/stage/index.ts';
import { ranksOf } from '../parallel/mesh.ts';
import type { PretrainSection } from '../recipe.ts';
import type { PretrainParams } from './prepare-pretrain.ts';
import { NOT_IN_KEY, parallelOf } from './plan.ts';
import { runOverRanks } from './ranks.ts';

/** Token shards → a model: steps.parquet, samples.jsonl and checkpoints of a run. */
export default defineStage<{ name: string; pretrain?: PretrainSection }, PretrainParams>({
  name: 'pretrain',
  version: 2,
  module: 'trainer/stages/pretrain',
  inputs: ['tokenizer', 'shards'],
  params: ({ name, pretrain: p }) => (p === undefined ? null : { ...p, name: p.name ?? `${name}-pretrain` }),
  // How ranks share the work changes no more than last bits, so that a run goes on with other ranks.
  units: (params) => [{ name: 'pretrain', version: 2, params: { ...params, ...NOT_IN_KEY } }],
  ranks: (p) => ({ ranks: ranksOf(parallelOf('pretrain', p).mesh), threads: p.threads ?? 1 }),
  tasks: () => [{ id: 'train', input: null }],
  run: (_task, params, context) => runOverRanks({ stage: 'pretrain', params }, context),
});
