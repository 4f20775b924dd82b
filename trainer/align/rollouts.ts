import type { Learner } from '../parallel/learner.ts';
import { mix } from '../loader/permutation.ts';
import { sampleMany } from '../sample/many.ts';
import type { Ended } from '../sample/generate.ts';
import { textStream } from '../sample/generate.ts';
import type { Vocabulary } from '../sample/vocabulary.ts';
import type { BatchDecoder } from '../session/batch-decoder.ts';
import { logProbabilities } from './log-probabilities.ts';
import type { Prompt } from './prompts.ts';
import { REWARD_FAULTS, rewarded, type RewardFault, type Weighted } from './rewards.ts';

/** A sampled answer with all that a step learns from. */
export interface Attempt {
  prompt: Prompt;
  /** Which of the answers to the prompt, from 0. */
  sample: number;
  /** The end of the turn included. */
  ids: number[];
  text: string;
  finish: Ended;
  /** Of each token, when it was sampled, and under the reference model [nats]. */
  logps: number[];
  references: number[];
  /** Each reward before its weight, in the recipe's order. */
  rewards: number[];
  /** Their weighted sum; null where one has failed. */
  reward: number | null;
  fault: RewardFault | null;
}

/** Scores answers with a reward model, several at one time. */
export type Score = (answers: readonly { prompt: Prompt; ids: readonly number[] }[]) => number[];

/** What answers are sampled and judged with, on one rank. */
export interface RolloutParts {
  policy: BatchDecoder;
  reference: BatchDecoder;
  vocabulary: Vocabulary;
  rewards: readonly Weighted[];
  score: Score | null;
  /** Most tokens of an answer. */
  tokens: number;
  stop: readonly number[];
  /** This rank's place among the data ranks, which share the prompts. */
  share: { rank: number; ranks: number };
  sum: Learner['sum'];
}

const FINISHES: readonly Ended[] = ['stop', 'tokens', 'context'];

/** A seed that depends on all words alike. */
export function seedOf(seed: number, ...words: readonly number[]): number {
  let key = mix(0x6a09e667);
  for (const word of [seed | 0, Math.floor(seed / 2 ** 32), ...words]) key = mix(Math.imul(key, 0x9e3779b1) ^ word);
  return key >>> 0;
}

/**
 * `group` answers to each prompt, with log-probabilities and rewards, the same on every rank: a pure function of the weights,
 * the prompts and the seed, however many ranks share the prompts.
 */
export function rollOut(
  prompts: readonly Prompt[],
  { group, seed, temperature = 1 }: { group: number; seed: number; temperature?: 0 | 1 },
  parts: RolloutParts,
): Attempt[] {
  const { share, rewards, tokens } = parts;
  const mine = prompts.map((_, p) => p).filter((p) => p % share.ranks === share.rank);
  const indices = mine.flatMap((p) => Array.from({ length: group }, (_, k) => p * group + k));
  const promptOf = (index: number) => prompts[Math.floor(index / group)]!;
  const sampled = sampleMany(
    parts.policy,
    indices.map((index) => promptOf(index).ids),
    {
      temperature,
      topK: 0,
      topP: 1,
      tokens,
      seed,
      sequence: (i) => indices[i]!,
      stop: parts.stop,
    },
  );
  const references = logProbabilities(
    parts.reference,
    sampled.map(({ ids }, i) => ({ prompt: promptOf(indices[i]!).ids, answer: ids })),
  );
  const scores = parts.score?.(sampled.map(({ ids }, i) => ({ prompt: promptOf(indices[i]!), ids }))) ?? null;

  // One list of numbers holds all answers: each rank writes its own, and the sum over ranks is the whole.
  const width = 3 + rewards.length + 3 * tokens;
  const all = new Float64Array(prompts.length * group * width);
  sampled.forEach(({ ids, logprobs, finish }, i) => {
    const prompt = promptOf(indices[i]!);
    const answered = {
      prompt: prompt.turns,
      answer: textOf(ids, parts),
      reference: prompt.reference,
      finish,
      tokens: ids.length,
    };
    const values = rewards.map(({ reward }) =>
      reward === null ? (scores?.[i] ?? 'reward_is_no_number') : rewarded(reward, answered),
    );
    const fault = values.find((v) => typeof v === 'string');
    const at = indices[i]! * width;
    all[at] = ids.length;
    all[at + 1] = FINISHES.indexOf(finish);
    all[at + 2] = fault === undefined ? 0 : 1 + REWARD_FAULTS.indexOf(fault);
    all.set(
      values.map((v) => (typeof v === 'number' ? v : 0)),
      at + 3,
    );
    [ids, logprobs, references[i]!].forEach((list, k) => all.set(list, at + 3 + rewards.length + k * tokens));
  });
  const whole = parts.sum(all);
  return Array.from({ length: prompts.length * group }, (_, index): Attempt => {
    const at = index * width;
    const length = whole[at]!;
    const list = (k: number) => {
      const start = at + 3 + rewards.length + k * tokens;
      return [...whole.subarray(start, start + length)];
    };
    const ids = list(0);
    const values = [...whole.subarray(at + 3, at + 3 + rewards.length)];
    const fault = REWARD_FAULTS[whole[at + 2]! - 1] ?? null;
    return {
      prompt: promptOf(index),
      sample: index % group,
      ids,
      text: textOf(ids, parts),
      finish: FINISHES[whole[at + 1]!]!,
      logps: list(1),
      references: list(2),
      rewards: values,
      reward: fault === null ? values.reduce((sum, v, i) => sum + v * rewards[i]!.weight, 0) : null,
      fault,
    };
  });
}

/** An answer as text, without its end. */
function textOf(ids: readonly number[], { vocabulary, stop }: Pick<RolloutParts, 'vocabulary' | 'stop'>): string {
  const decode = textStream();
  return ids
    .filter((id) => !stop.includes(id))
    .map((id) => decode(vocabulary.bytes(id)))
    .join('');
}

/** KL from the reference of an answer that the policy has sampled: Σ ln π/π_ref [nats]. */
export const answerKl = ({ logps, references }: Attempt): number =>
  logps.reduce((sum, logp, i) => sum + logp - references[i]!, 0);

export const meanOf = (values: readonly number[]): number =>
  values.length === 0 ? 0 : values.reduce((sum, v) => sum + v, 0) / values.length;
