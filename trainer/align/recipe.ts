import { z } from 'zod';
import { adam, count, learningRate, running, sampling } from '../recipe.ts';

const name = (suffix: string) =>
  z
    .string()
    .regex(/^[\w.-]+$/)
    .optional()
    .describe(`name of the run; default: the recipe’s name and "-${suffix}"`);

const from = z
  .enum(['pretrain', 'finetune'])
  .optional()
  .describe('whose model it begins with; default: that of finetune where the recipe has one');

const checkpoint = z
  .strictObject({
    every: count('steps between two checkpoints; the last step always has one').default(100),
    keep: count('how many are kept, the last one included').default(1),
  })
  .prefault({})
  .describe('where a stopped run goes on');

const files = (what: string) => z.union([z.string(), z.array(z.string()).min(1)]).describe(what);

const rows = count('rows of packed answers that go through the model at once; default: up to 4,096 tokens').optional();
const sequence = z
  .int()
  .min(8)
  .optional()
  .describe('most tokens of a prompt and its answer; default: the context of the model. Longer ones are cut');

/** The recipe's section `reward`: a scalar head that learns which of two answers is preferred (Bradley–Terry). */
export const rewardSection = z.strictObject({
  name: name('reward'),
  data: files(
    'JSON lines or Parquet of preference pairs, a path or several: {prompt, chosen, rejected} as TRL has them, or what "garner rank export" writes of people’s judgements',
  ),
  from,
  sequence,
  batch: count('pairs of a step').default(32),
  micro_batch: rows,
  steps: count('weight updates (of each fold); else epochs').optional(),
  epochs: z.number().positive().optional().describe('passes over the pairs; default: 1'),
  learning_rate: learningRate(1e-4, 'linear', 0).prefault({}).describe('rate and its schedule'),
  adam: adam.prefault({}).describe('AdamW'),
  clip: z.number().positive().default(1).describe('greatest norm of the gradient'),
  centre: z
    .number()
    .min(0)
    .default(0.01)
    .describe('weight of the squared sum of both scores, which keeps them around 0'),
  prefixes: count(
    'beginnings of both answers that are compared, the whole ones among them: with 4, after each quarter. They keep a small model from learning few pairs by heart; what is reported, and what the model is asked later, is the whole answer',
  ).default(4),
  folds: z
    .int()
    .min(2)
    .max(20)
    .optional()
    .describe('trains so many models, each of which holds out its share of the prompts, then one on all pairs'),
  validation: z
    .strictObject({
      every: count('steps between two measurements; the last step always has one').default(50),
      share: z
        .number()
        .min(0)
        .max(0.5)
        .default(0.1)
        .describe('share of the prompts that is held out where there are no folds'),
    })
    .prefault({})
    .describe('accuracy on pairs whose prompts are held out'),
  checkpoint,
  ...running,
});
export type RewardSection = z.output<typeof rewardSection>;

/** The recipe's section `dpo`: a model learns from preferences without a reward model (DPO, IPO, KTO). */
export const dpoSection = z.strictObject({
  name: name('dpo'),
  data: files(
    'JSON lines or Parquet, a path or several: {prompt, chosen, rejected}; for kto also {prompt, completion, label}',
  ),
  loss: z.enum(['dpo', 'ipo', 'kto']).default('dpo').describe('which loss'),
  beta: z.number().positive().default(0.1).describe('how dear it is to leave the reference model'),
  folds: z
    .int()
    .min(2)
    .max(20)
    .optional()
    .describe(
      'dpo, ipo: trains so many models, each of which holds out its share of the prompts, then one on all pairs',
    ),
  smoothing: z.number().min(0).lt(0.5).default(0).describe('dpo: share of the labels that is believed wrong'),
  weights: z
    .strictObject({
      good: z.number().positive().default(1).describe('of good answers'),
      bad: z.number().positive().default(1).describe('of bad ones'),
    })
    .prefault({})
    .describe('kto: weights of the two losses'),
  from,
  sequence,
  batch: count('pairs (kto: answers) of a step').default(32),
  micro_batch: rows,
  steps: count('weight updates; else epochs').optional(),
  epochs: z.number().positive().optional().describe('passes over the pairs; default: 1'),
  learning_rate: learningRate(1e-5, 'linear', 0).prefault({}).describe('rate and its schedule'),
  adam: adam.prefault({ weight_decay: 0 }).describe('AdamW'),
  clip: z.number().positive().default(1).describe('greatest norm of the gradient'),
  validation: z
    .strictObject({
      every: count('steps between two measurements; the last step always has one').default(50),
      share: z.number().min(0).max(0.5).default(0.1).describe('share of the prompts that is held out'),
    })
    .prefault({})
    .describe('margins on pairs whose prompts are held out'),
  checkpoint,
  sample: z
    .strictObject({ every: count('steps between samples; the last step always has some').default(200), ...sampling })
    .prefault({})
    .describe('answers on the way'),
  ...running,
});
export type DpoSection = z.output<typeof dpoSection>;
