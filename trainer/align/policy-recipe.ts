import { z } from 'zod';
import { adam, count, learningRate, running } from '../recipe.ts';
import { REWARD_NAMES } from './rewards.ts';

const name = z
  .string()
  .regex(/^[\w.-]+$/)
  .optional();

const reward = z.strictObject({
  name: z.enum([...REWARD_NAMES, 'model']).describe('which reward; model: the reward model of the section reward'),
  weight: z.number().default(1).describe('by which it is multiplied'),
  most: count('length: answers up to so many tokens cost nothing').optional(),
  as: z.enum(['number', 'sentence', 'json']).optional().describe('format: what an answer shall be'),
});

/** What both say of prompts, answers and rewards. */
const sampled = {
  from: z
    .enum(['pretrain', 'finetune'])
    .optional()
    .describe('stage whose model it begins with; default: finetune, else pretrain'),
  prompts: z
    .string()
    .default('sums')
    .describe('JSON lines or Parquet with {prompt} or {messages}, and an answer for the checkers; sums: made ones'),
  rewards: z
    .array(reward)
    .min(1)
    .default([{ name: 'sum', weight: 1 }])
    .describe('what an answer is worth: a weighted sum'),
  batch: count('prompts of a step').default(32),
  answers: count('answers that are sampled to each prompt').default(8),
  tokens: count('most tokens of an answer').default(32),
  steps: count('rounds of sampling and learning').default(200),
  epochs: count('passes over the answers of a step').default(1),
  parts: count('parts of a pass, a weight update each').default(1),
  clip_ratio: z
    .strictObject({
      low: z.number().positive().lt(1).default(0.2).describe('below 1'),
      high: z.number().positive().default(0.2).describe('above 1'),
    })
    .prefault({})
    .describe('how far the ratio to the policy that sampled may move'),
  selection: z
    .strictObject({
      every: count('steps between two measurements; each has a checkpoint, and the last step both').default(20),
      prompts: count('how many are held out of learning for it').default(300),
      answers: count('answers that are sampled to each').default(4),
      most_kl: z
        .number()
        .positive()
        .default(2)
        .describe('a checkpoint farther from the first weights is not chosen [nats an answer]'),
    })
    .prefault({})
    .describe('prompts on which checkpoints are compared; the best one is the run’s model'),
  shuffle_rewards: z
    .boolean()
    .default(false)
    .describe('a control: rewards are dealt anew over the batch, so that there is nothing to learn'),
  sequence: count('length of a row, which packs several answers [tokens]; default: the model’s context').optional(),
  micro_batch: count('rows that go through the model at once; default: as many as hold 4,096 tokens').optional(),
  learning_rate: learningRate(1e-4, 'linear', 0.1).prefault({}).describe('rate and its schedule'),
  adam: adam.prefault({ weight_decay: 0 }).describe('AdamW'),
  clip: z.number().positive().default(1).describe('greatest norm of the gradient'),
};

/** The recipe's section `grpo`: answers are held against others to the same prompt. */
export const grpoSection = z.strictObject({
  name: name.describe('name of the run; default: the recipe’s name and "-grpo"'),
  ...sampled,
  kl: z.number().min(0).default(0.04).describe('weight of the distance from the first weights in the loss'),
  scale: z.boolean().default(false).describe('advantages are divided by the deviation of their group'),
  aggregate: z
    .enum(['tokens', 'answers', 'constant'])
    .default('tokens')
    .describe('losses are divided by the count of tokens, each answer by its own, or all by the most there can be'),
  ...running,
});
export type GrpoSection = z.output<typeof grpoSection>;

/** The recipe's section `ppo`: a value model says what was to be expected. */
export const ppoSection = z.strictObject({
  name: name.describe('name of the run; default: the recipe’s name and "-ppo"'),
  ...sampled,
  epochs: count('passes over the answers of a step').default(2),
  kl: z.number().min(0).default(0.02).describe('what a nat of distance from the first weights costs, token by token'),
  gamma: z.number().gt(0).max(1).default(1).describe('what a reward is worth one token earlier'),
  lambda: z.number().min(0).max(1).default(0.95).describe('how far advantages look ahead'),
  value: z
    .strictObject({
      from: z.enum(['policy', 'reward']).default('policy').describe('weights that the value model begins with'),
      learning_rate: learningRate(3e-4, 'linear', 0.1).prefault({}).describe('its rate and schedule'),
      clip: z.number().positive().default(0.2).describe('how far a value may move from the one that was sampled with'),
    })
    .prefault({})
    .describe('the value model: the policy’s shape with a scalar head'),
  ...running,
});
export type PpoSection = z.output<typeof ppoSection>;
