import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeTokenizerJson } from '../../../tokenizer/encode/index.ts';
import { trainTokenizer } from '../../../tokenizer/train/index.ts';
import { promptSplits, type Prompt } from '../../../trainer/align/prompts.ts';
import { rewardsOf } from '../../../trainer/align/rewards.ts';
import { answerKl, meanOf, rollOut } from '../../../trainer/align/rollouts.ts';
import { madeSums, type Asked } from '../../../trainer/align/sums.ts';
import { packedChats } from '../../../trainer/chat/pack.ts';
import type { Message } from '../../../trainer/chat/conversations.ts';
import { chatTemplate } from '../../../trainer/chat/template.ts';
import { openModel, saveCheckpoint } from '../../../trainer/checkpoint/checkpoint.ts';
import { readConfig } from '../../../trainer/checkpoint/config.ts';
import { alone } from '../../../trainer/collectives/alone.ts';
import { configOfDepth, type ModelConfig } from '../../../trainer/model/config.ts';
import { openLearner } from '../../../trainer/parallel/open.ts';
import { ALONE } from '../../../trainer/parallel/options.ts';
import { openVocabulary, type Vocabulary } from '../../../trainer/sample/vocabulary.ts';
import { openBatchDecoder } from '../../../trainer/session/batch-decoder.ts';

/** Longest answer [tokens]. */
export const ANSWER = 8;
const CONTEXT = 96;

/** What a model does on prompts. */
export interface Measured {
  sampled: number;
  greedy: number;
  /** From the base [nats an answer]. */
  kl: number;
}

/** Where the base of an alignment stands, and what it can do on the selection split. */
export interface SumBase {
  checkpoint: string;
  parameters: number;
  selection: Measured;
  steps: number;
}

interface BaseOptions {
  seed?: number;
  /** Share of right answers at which it stops. */
  from?: number;
  threads?: number;
  width?: number;
  layers?: number;
  /** Of a micro-batch; a step has two. */
  rows?: number;
  /** Steps after which it stops in any case. */
  most?: number;
  say?: (text: string) => void;
}

/**
 * Trains a model on conversations of the train split until it answers 25 to 35 % of the selection split at temperature 1: where
 * there is something to learn, and something to learn from.
 */
export async function sumBase(
  folder: string,
  { seed = 1, from = 0.26, threads = 2, width = 128, layers = 3, rows = 32, most = 4000, say }: BaseOptions = {},
): Promise<SumBase> {
  mkdirSync(folder, { recursive: true });
  const chats = madeSums('train').map(
    ({ turns, reference }) => [...turns, { role: 'assistant', content: reference! }] as Message[],
  );
  const trained = await trainTokenizer(
    (async function* () {
      // digits stay apart: the texts that merges are learned from have none
      for (let i = 0; i < 200; i++) yield Buffer.from('user\nWhat is + ?\nassistant\n加等于多少？\n');
    })(),
    { split: 'cl100k', vocabulary: 300 },
  );
  const tokenizer = join(folder, 'tokenizer.json');
  writeFileSync(tokenizer, writeTokenizerJson(trained.vocabulary));
  const vocabulary = openVocabulary(tokenizer);
  const chat = chatTemplate(vocabulary);
  const config = configOfDepth(layers, {
    vocabulary: vocabulary.size,
    context: CONTEXT,
    width,
    heads: 4,
    keyValueHeads: 4,
    headSize: width / 4,
  });
  const samples = packedChats(
    chats.map((c) => chat.render(c)),
    { sequence: CONTEXT, padding: vocabulary.endOfText, seed },
  );
  const learner = openLearner(
    config,
    { batch: rows, sequence: CONTEXT, threads, engine: 'cpu', seed, documents: true, parallel: ALONE },
    alone(),
  );
  const state = { samples: 0, tokens: 0, seed, recipe: 'bench' };
  const { selection } = await promptSplits('sums', chat, { seed, held: 300, room: CONTEXT - ANSWER });
  for (let step = 1; step <= most; step++) {
    const { tokens, lossSum } = learner.accumulate(2, (slot, into) => {
      for (let i = 0; i < rows; i++) samples.fill(((step - 1) * 2 + slot) * rows + i, into, i);
    });
    const rate = { learningRate: 1e-3 * Math.min(1, step / 50), clip: 1, gradientScale: 1 / tokens };
    learner.update({ step, ...rate, beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1 });
    if (step < most && step % 50 !== 0 && (step < 250 || step % 5 !== 0)) continue;
    const weights = (name: string) => learner.collect(name, 'weight')!;
    const found = measure(config, weights, weights, vocabulary, selection, { answers: 2, threads, seed: 11 });
    say?.(`base: step ${step}, loss ${(lossSum / tokens).toFixed(3)}, pass@1 ${found.sampled.toFixed(3)}`);
    if (found.sampled < from && step < most) continue;
    const checkpoint = await saveCheckpoint(join(folder, 'base'), {
      learner,
      state: { step, ...state },
      end: chat.end,
      beside: { 'tokenizer.json': writeTokenizerJson(trained.vocabulary), 'chat_template.jinja': `${chat.jinja}\n` },
    });
    learner.close();
    return { checkpoint, parameters: learner.parameters, selection: found, steps: step };
  }
  throw new Error('no steps');
}

type WeightOf = (name: string) => Float32Array;

function measure(
  config: ModelConfig,
  weights: WeightOf,
  reference: WeightOf,
  vocabulary: Vocabulary,
  prompts: readonly Prompt[],
  { answers, threads, seed }: { answers: number; threads: number; seed: number },
): Measured {
  const stop = [...new Set([chatTemplate(vocabulary).end, vocabulary.endOfText])];
  const open = (from: WeightOf) =>
    openBatchDecoder(config, from, {
      slots: 64,
      rows: 64,
      length: config.context,
      threads,
      engine: 'cpu',
      never: vocabulary.specials.filter((id) => !stop.includes(id)),
    });
  const [policy, base] = [open(weights), open(reference)];
  const parts = {
    policy,
    reference: base,
    vocabulary,
    rewards: rewardsOf([{ name: 'sum', weight: 1 }]),
    score: null,
    tokens: ANSWER,
    stop,
    share: { rank: 0, ranks: 1 },
    sum: (numbers: ArrayLike<number>) => Float64Array.from(numbers),
  };
  const sampled = rollOut(prompts, { group: answers, seed }, parts);
  const greedy = rollOut(prompts, { group: 1, seed, temperature: 0 }, parts);
  policy.close();
  base.close();
  return {
    sampled: meanOf(sampled.map((a) => a.reward ?? 0)),
    greedy: meanOf(greedy.map((a) => a.reward ?? 0)),
    kl: meanOf(sampled.map(answerKl)),
  };
}

/** What a checkpoint does on the test split, whose pairs no training has seen: four answers to each prompt, and a greedy one. */
export function measureCheckpoint(
  checkpoint: string,
  base: string,
  { answers = 4, threads = 2 } = {},
): Measured & { prompts: number } {
  const config = readConfig(join(checkpoint, 'config.json'));
  const vocabulary = openVocabulary(join(checkpoint, 'tokenizer.json'));
  const chat = chatTemplate(vocabulary);
  const [model, first] = [openModel(checkpoint, config), openModel(base, config)];
  const prompts = madeSums('test').map((asked: Asked): Prompt => ({
    ...asked,
    ids: chat.prompt(asked.turns as Message[]),
  }));
  const found = measure(config, model.weights, first.weights, vocabulary, prompts, { answers, threads, seed: 97 });
  model.close();
  first.close();
  return { ...found, prompts: prompts.length };
}
