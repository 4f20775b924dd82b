import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { explainSystemError, GarnerError } from '../../core/errors.ts';
import { sha256 } from '../../core/hash.ts';
import { only, type Inputs } from '../../core/stage/index.ts';
import { inWords } from '../align/pairs.ts';
import type { PieceShape } from '../align/pieces.ts';
import { chatTemplate, templateBeside, type ChatTemplate } from '../chat/template.ts';
import { readConfig } from '../checkpoint/config.ts';
import type { ModelConfig } from '../model/config.ts';
import type { LearnerOptions } from '../parallel/open.ts';
import { checkParallel } from '../parallel/options.ts';
import type { PretrainSection } from '../recipe.ts';
import { openVocabulary, type Vocabulary } from '../sample/vocabulary.ts';
import type { LoopPlan } from './loop.ts';
import { adamOf, parallelOf, rateOf } from './plan.ts';

/** A file by path and content. */
export interface DataFile {
  path: string;
  sha256: string;
}

/** Files of a section, absolute; their content names them. Throws a GarnerError for one that cannot be read. */
export const dataFiles = (data: string | readonly string[]): DataFile[] =>
  [data].flat().map((path) => {
    try {
      return { path, sha256: sha256(readFileSync(path)) };
    } catch (error) {
      throw explainSystemError(error, path);
    }
  });

/** The model that an alignment begins with, and its words. */
export interface Base {
  checkpoint: string;
  config: ModelConfig;
  vocabulary: Vocabulary;
  chat: ChatTemplate;
  /** Files beside each checkpoint. */
  beside: Record<string, string>;
}

/** Opens the last checkpoint of the stage that a section names, else of the latest that the recipe has. */
export function openBase(section: string, from: string | undefined, lake: string, inputs: Inputs): Base {
  const stages = from === undefined ? ['finetune', 'pretrain'] : [from];
  const found = stages.map((stage) => only(inputs, stage)?.facts['checkpoint']).find((c) => typeof c === 'string');
  if (typeof found !== 'string')
    throw new GarnerError({
      what: `there is no model of ${stages.join(' or ')} to begin with`,
      where: section,
      hint: `give the recipe a section "${stages.at(-1)}"`,
      fault: 2,
    });
  const checkpoint = join(lake, found);
  const tokenizer = join(checkpoint, 'tokenizer.json');
  const vocabulary = openVocabulary(tokenizer);
  const chat = templateBeside(checkpoint, vocabulary) ?? chatTemplate(vocabulary);
  const settings = join(checkpoint, 'tokenizer_config.json');
  return {
    checkpoint,
    config: readConfig(join(checkpoint, 'config.json')),
    vocabulary,
    chat,
    beside: {
      'tokenizer.json': readFileSync(tokenizer, 'utf8'),
      ...(existsSync(settings) && { 'tokenizer_config.json': readFileSync(settings, 'utf8') }),
      'chat_template.jinja': `${chat.jinja}\n`,
    },
  };
}

/** Tokens of a micro-batch where the recipe names no size. */
const MICRO_BATCH_TOKENS = 4096;

type Running = Pick<
  PretrainSection,
  'batch' | 'micro_batch' | 'ranks' | 'parallel' | 'threads' | 'seed' | 'learning_rate' | 'adam' | 'clip'
> & { name: string; validation: { every: number } };

/**
 * The plan of a training whose samples are pairs, answers or prompts, packed into rows: `course` updates under one schedule,
 * `steps` in all. `tokens`: of a sample, about.
 */
export function planPacked(
  stage: 'reward' | 'dpo' | 'grpo' | 'ppo',
  p: Running,
  config: ModelConfig,
  given: { steps: number; course: number; sequence: number; tokens: number; padding: number },
): { plan: LoopPlan; learner: LearnerOptions; shape: PieceShape } {
  const { sequence, padding } = given;
  const parallel = parallelOf(stage, p);
  const { data, pipeline } = parallel.mesh;
  if (pipeline > 1)
    throw new GarnerError({
      what: `${stage}: a pipeline of ${pipeline} ranks`,
      where: 'parallel',
      hint: 'losses that weigh answers run on data and tensor ranks',
      fault: 2,
    });
  const micro = p.micro_batch ?? Math.max(1, Math.floor(MICRO_BATCH_TOKENS / sequence));
  checkParallel(config, parallel, { batch: data * micro, micro, sequence });
  return {
    plan: {
      run: p.name,
      steps: given.steps,
      sequence,
      batch: p.batch,
      stepTokens: p.batch * given.tokens,
      microBatch: 1,
      rate: rateOf(p.learning_rate, given.course),
      adam: adamOf(p.adam),
      clip: p.clip,
      validateEvery: p.validation.every,
    },
    learner: {
      batch: micro,
      sequence,
      documents: true,
      threads: p.threads ?? 1,
      engine: 'cpu',
      seed: p.seed,
      parallel,
    },
    shape: { rows: micro, sequence, data, padding },
  };
}

/** What the data turned out to hold, for the person at the terminal. */
export function dataNotices(
  files: readonly DataFile[],
  read: { refused: Record<string, number>; cut: number },
  sequence: number,
): string[] {
  const lines: string[] = [];
  const count = Object.values(read.refused).reduce((a, b) => a + b, 0);
  if (count > 0)
    lines.push(`${files.map((f) => f.path).join(', ')}: ${count} records are left out (${inWords(read.refused)})`);
  if (read.cut > 0) lines.push(`${read.cut} are longer than ${sequence} tokens and are cut`);
  return lines;
}
