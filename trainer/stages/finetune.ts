import { readFileSync } from 'node:fs';
import { explainSystemError } from '../../core/errors.ts';
import { sha256 } from '../../core/hash.ts';
import { asset } from '../../core/root.ts';
import { defineStage } from '../../core/stage/index.ts';
import { ranksOf } from '../parallel/mesh.ts';
import type { FinetuneSection } from '../recipe.ts';
import type { FinetuneParams } from './prepare-finetune.ts';
import { NOT_IN_KEY, parallelOf } from './plan.ts';
import { runOverRanks } from './ranks.ts';

/** The conversations that ship with garner. */
const BUILTIN = 'examples/quickstart-chat.jsonl';

/** A pretrained model and conversations → a model that answers: steps.parquet, samples.jsonl and checkpoints of a run. */
export default defineStage<{ name: string; finetune?: FinetuneSection }, FinetuneParams>({
  name: 'finetune',
  version: 2,
  module: 'trainer/stages/finetune',
  inputs: ['tokenizer', 'pretrain'],
  params: ({ name, finetune: p }) =>
    p === undefined ? null : { ...p, name: p.name ?? `${name}-finetune`, data: fileOf(p.data) },
  // The content of the data names it, not its path.
  units: (params) => [{ name: 'finetune', version: 2, params: { ...params, ...NOT_IN_KEY, data: params.data.sha256 } }],
  ranks: (p) => ({ ranks: ranksOf(parallelOf('finetune', p).mesh), threads: p.threads ?? 1 }),
  tasks: () => [{ id: 'train', input: null }],
  run: (_task, params, context) => runOverRanks({ stage: 'finetune', params }, context),
});

function fileOf(data: string): { path: string; sha256: string } {
  const path = data === 'builtin' ? asset(BUILTIN) : data;
  try {
    return { path, sha256: sha256(readFileSync(path)) };
  } catch (error) {
    throw explainSystemError(error, path);
  }
}
