import { defineStage } from '../../core/stage/index.ts';
import type { PretrainSection } from '../recipe.ts';
import type { PretrainParams } from './prepare-pretrain.ts';
import { runOverRanks } from './ranks.ts';

/** Token shards → a model: steps.parquet, samples.jsonl and checkpoints of a run. */
export default defineStage<{ name: string; pretrain?: PretrainSection }, PretrainParams>({
  name: 'pretrain',
  version: 1,
  module: 'trainer/stages/pretrain',
  inputs: ['tokenizer', 'shards'],
  params: ({ name, pretrain: p }) => (p === undefined ? null : { ...p, name: p.name ?? `${name}-pretrain` }),
  // Threads change no bit of a result.
  units: (params) => [{ name: 'pretrain', version: 1, params: { ...params, threads: undefined } }],
  tasks: () => [{ id: 'train', input: null }],
  run: (_task, params, context) => runOverRanks({ stage: 'pretrain', params }, context),
});
