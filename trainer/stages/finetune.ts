import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
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

/** A model and conversations → a model that answers: steps.parquet, samples.jsonl and checkpoints of a run; decisions. */
export default defineStage<{ name: string; finetune?: FinetuneSection }, FinetuneParams>({
  name: 'finetune',
  version: 3,
  module: 'trainer/stages/finetune',
  inputs: ['tokenizer', 'pretrain'],
  params: ({ name, finetune: p }) =>
    p === undefined
      ? null
      : {
          ...p,
          name: p.name ?? `${name}-finetune`,
          data: fileOf(p.data),
          from: p.from === undefined ? null : modelOf(p.from),
        },
  // The content of the data and of the base names them, not their paths.
  units: (params) => [
    {
      name: 'finetune',
      version: 3,
      params: { ...params, ...NOT_IN_KEY, data: params.data.sha256, from: params.from?.sha256 ?? null },
    },
  ],
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

/** A model's folder, and a digest of what a training takes from it. */
function modelOf(folder: string): { path: string; sha256: string } {
  const hash = createHash('sha256');
  const piece = Buffer.alloc(1 << 22);
  for (const name of ['config.json', 'tokenizer.json', 'model.safetensors']) {
    const path = join(folder, name);
    try {
      const file = openSync(path, 'r');
      try {
        for (let got = readSync(file, piece); got > 0; got = readSync(file, piece)) hash.update(piece.subarray(0, got));
      } finally {
        closeSync(file);
      }
    } catch (error) {
      throw explainSystemError(error, path);
    }
  }
  return { path: folder, sha256: hash.digest('hex') };
}
