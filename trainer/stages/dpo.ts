import { defineStage } from '../../core/stage/index.ts';
import type { DpoSection } from '../align/recipe.ts';
import { NOT_IN_KEY } from './plan.ts';
import { dataFiles } from './prepare-align.ts';
import type { DpoParams } from './prepare-dpo.ts';
import { runOverRanks } from './ranks.ts';

/** A model and preferences → a model that follows them: steps, metrics, held-out.jsonl, samples.jsonl and checkpoints of a run. */
export default defineStage<{ name: string; dpo?: DpoSection }, DpoParams>({
  name: 'dpo',
  version: 1,
  module: 'trainer/stages/dpo',
  inputs: ['tokenizer', 'pretrain', 'finetune'],
  params: ({ name, dpo: p }) =>
    p === undefined ? null : { ...p, name: p.name ?? `${name}-dpo`, data: dataFiles(p.data) },
  // The content of the data names it, not its path.
  units: (params) => [
    { name: 'dpo', version: 1, params: { ...params, ...NOT_IN_KEY, data: params.data.map((f) => f.sha256) } },
  ],
  tasks: () => [{ id: 'train', input: null }],
  run: (_task, params, context) => runOverRanks({ stage: 'dpo', params }, context),
});
