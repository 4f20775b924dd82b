import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { GarnerError } from '../../core/errors.ts';
import { filesIn, only, type Inputs } from '../../core/stage/index.ts';
import { openShards, shardFiles } from '../../tokenizer/shards/reader.ts';
import type { Samples } from '../loader/samples.ts';
import { orderedWindows, shuffledWindows } from '../loader/windows.ts';
import type { PretrainSection } from '../recipe.ts';
import { byteCounts, openVocabulary } from '../sample/vocabulary.ts';
import { nextToken } from './objective.ts';
import { modelConfig, planOf, stepsOf } from './plan.ts';
import type { Training } from './training.ts';

/** The section with the run's name filled in. */
export type PretrainParams = Omit<PretrainSection, 'name'> & { name: string };

/** Makes a training of the section and its inputs; alike on every rank. */
export async function preparePretrain(lake: string, p: PretrainParams, inputs: Inputs): Promise<Training> {
  const tokenizer = tokenizerFile(lake, inputs);
  const vocabulary = openVocabulary(tokenizer);
  const shards = only(inputs, 'shards');
  const train = await openShards(shardFiles(lake, shards, 'train'));
  const held = await openShards(shardFiles(lake, shards, 'validation'));
  const windows = { sequence: p.sequence, endOfText: vocabulary.endOfText, documentMask: p.document_mask };
  const samples = shuffledWindows(train, { ...windows, seed: p.seed });
  const validation = first(orderedWindows(held, windows), p.validation.windows);
  const steps = stepsOf(p, { batch: p.batch, sequence: p.sequence, count: samples.count, epochs: 1 });
  const config = modelConfig(p.model, vocabulary.size, p.sequence);
  const planned = planOf('pretrain', p, config, { steps, sequence: p.sequence, documents: p.document_mask });
  const measured =
    validation.count === 0
      ? null
      : { samples: validation, documentMask: p.document_mask, bytesOf: byteCounts(vocabulary) };
  return {
    config,
    ...planned,
    objective: nextToken(samples, measured, planned.plan),
    vocabulary,
    weights: null,
    checkpoint: p.checkpoint,
    sampling: {
      every: p.sample.every,
      prompts: p.sample.prompts.map((text) => ({
        text,
        ids: text === '' ? [vocabulary.endOfText] : vocabulary.encode(text),
      })),
      tokens: p.sample.tokens,
      temperature: p.sample.temperature,
      topK: p.sample.top_k,
    },
    end: vocabulary.endOfText,
    beside: { 'tokenizer.json': readFileSync(tokenizer, 'utf8') },
    found: { counts: {}, notices: [] },
  };
}

/** The tokenizer.json of a recipe's run, absolute. */
export function tokenizerFile(lake: string, inputs: Inputs): string {
  const file = filesIn(only(inputs, 'tokenizer'), 'tokenizers').find((f) => basename(f.path) === 'tokenizer.json');
  if (!file)
    throw new GarnerError({
      what: 'there are no tokens to train on',
      where: 'pretrain',
      hint: 'give the recipe the sections "mix" and "tokenizer"',
      fault: 2,
    });
  return join(lake, file.path);
}

/** At most the first `most` samples. */
const first = (samples: Samples, most: number): Samples => ({ ...samples, count: Math.min(samples.count, most) });
