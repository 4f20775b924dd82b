import { z } from 'zod';
import { TEMPLATE_NAMES } from './chat/template.ts';
import { TARGETS } from './lora/lora.ts';

export const count = (about: string) => z.int().min(1).describe(about);

export const learningRate = (peak: number, schedule: 'cosine' | 'linear', end: number) =>
  z.strictObject({
    peak: z.number().positive().default(peak).describe('highest rate'),
    schedule: z
      .enum(['cosine', 'wsd', 'linear', 'constant'])
      .default(schedule)
      .describe('how the rate runs after the warm-up; wsd keeps the peak and falls at the end'),
    warmup: z.int().min(0).optional().describe('linear warm-up [steps]; default: a twentieth of all, at most 200'),
    end: z.number().min(0).max(1).default(end).describe('rate at the end, as a share of the peak'),
    decay: z.number().gt(0).max(1).default(0.2).describe('wsd: the last share of the steps, in which the rate falls'),
  });

export const adam = z.strictObject({
  beta1: z.number().min(0).lt(1).default(0.9).describe('decay of the first moment'),
  beta2: z.number().min(0).lt(1).default(0.95).describe('decay of the second moment'),
  epsilon: z.number().positive().default(1e-8).describe('added to the root of the second moment'),
  weight_decay: z.number().min(0).default(0.1).describe('decoupled decay of matrices; norms have none'),
});

const model = z.strictObject({
  depth: count('one dial: layers, and 64 times as many channels').default(4),
  layers: count('layers; default: the depth').optional(),
  width: count('channels; default: 64 × depth').optional(),
  heads: count('query heads; default: one for each 64 channels').optional(),
  kv_heads: count('key and value heads; default: as many as heads').optional(),
  feed_forward: count('inner width of SwiGLU; default: 8/3 of the width, rounded up to a multiple of 64').optional(),
  rope_theta: z.number().positive().default(10_000).describe('base of the rotary angles'),
  norm_epsilon: z.number().positive().default(1e-5).describe('added to the mean square of RMSNorm'),
  tied: z.boolean().default(true).describe('one matrix for the embedding and the head'),
});

export const sampling = {
  prompts: z.array(z.string()).default([]).describe('what the samples on the way begin with'),
  tokens: count('length of a sample [tokens]').default(48),
  temperature: z.number().min(0).default(0.8).describe('0 takes the likeliest token'),
  top_k: z.int().min(0).default(50).describe('only the likeliest tokens; 0 for all'),
};

/** What all trainings say about how to run. */
export const running = {
  seed: z.int().min(0).default(1).describe('of the weights, the order and the samples'),
  threads: count('threads a rank; default: the cores divided by the ranks').optional(),
  ranks: z
    .int()
    .min(1)
    .max(1024)
    .optional()
    .describe('processes that train together: data × tensor × pipeline; default: 1, or what parallel says'),
  parallel: z
    .strictObject({
      data: count('ranks that take parts of each batch; default: ranks / (tensor × pipeline)').optional(),
      tensor: count('ranks that take parts of each matrix').default(1),
      pipeline: count('ranks that take some of the layers').default(1),
      chunks: count('runs of layers on a pipeline rank; above 1 the schedule is interleaved').default(1),
      zero: z
        .union([z.literal(0), z.literal(1), z.literal(2)])
        .default(0)
        .describe('what data ranks share: 1 the optimizer’s state, 2 the gradients too'),
      sequence: z.boolean().default(false).describe('tensor ranks share the rows between matrices'),
      recompute: z
        .enum(['none', 'selective', 'full'])
        .default('none')
        .describe('what the backward half makes again instead of keeping: norms and activations, or whole layers'),
      collectives: z
        .enum(['shared', 'mpi'])
        .optional()
        .describe('through what ranks speak; default: shared memory on one host, MPI on several'),
    })
    .prefault({})
    .describe('how ranks share the work; changes no more than the last bits of a result and stands in no key'),
};

/** The recipe's section `pretrain`: a model trained from nothing on the token shards. */
export const pretrainSection = z.strictObject({
  name: z
    .string()
    .regex(/^[\w.-]+$/)
    .optional()
    .describe('name of the run; default: the recipe’s name and "-pretrain"'),
  model: model.prefault({}).describe('shape of the model'),
  sequence: z.int().min(8).default(256).describe('length of a row [tokens]'),
  batch: count('rows of a step').default(16),
  micro_batch: count('rows that go through the model at once; default: all of a rank, up to 4,096 tokens').optional(),
  steps: count('weight updates; else tokens, else epochs').optional(),
  tokens: count('tokens to see').optional(),
  epochs: z.number().positive().optional().describe('passes over the train split; default: 1'),
  document_mask: z.boolean().default(true).describe('attention and targets stay inside a document'),
  learning_rate: learningRate(1e-3, 'cosine', 0.1).prefault({}).describe('rate and its schedule'),
  adam: adam.prefault({}).describe('AdamW'),
  clip: z.number().positive().default(1).describe('greatest norm of the gradient'),
  validation: z
    .strictObject({
      every: count('steps between two measurements; the last step always has one').default(100),
      windows: z.int().min(0).default(64).describe('rows of the validation split that are measured; 0 for none'),
    })
    .prefault({})
    .describe('loss and bits per byte on the validation split'),
  checkpoint: z
    .strictObject({
      every: count('steps between two checkpoints; the last step always has one').default(100),
      keep: count('how many are kept, the last one included').default(2),
    })
    .prefault({})
    .describe('where a stopped run goes on'),
  sample: z
    .strictObject({ every: count('steps between samples; the last step always has some').default(200), ...sampling })
    .prefault({})
    .describe('sampled lines on the way'),
  ...running,
});
export type PretrainSection = z.output<typeof pretrainSection>;

/** The recipe's section `finetune`: supervised fine-tuning on conversations, loss on the answers only. */
export const finetuneSection = z.strictObject({
  name: z
    .string()
    .regex(/^[\w.-]+$/)
    .optional()
    .describe('name of the run; default: the recipe’s name and "-finetune"'),
  data: z
    .string()
    .default('builtin')
    .describe(
      'JSON lines with {messages: [{role, content}]} or {prompt, completion}; builtin: a small made set in English and Chinese',
    ),
  from: z
    .string()
    .optional()
    .describe(
      'folder of a model to begin with (Hugging Face’s layout, a checkpoint of any run); default: the pretrained one',
    ),
  template: z
    .enum(TEMPLATE_NAMES)
    .optional()
    .describe(
      'how turns are marked; default: as the model has it, else the first whose marks the tokenizer has, else chatml. Marks that it lacks become new tokens',
    ),
  lora: z
    .strictObject({
      rank: count('inner width of an adapter').default(8),
      alpha: z.number().positive().optional().describe('an adapter counts alpha / rank times; default: 2 × rank'),
      targets: z
        .union([z.literal('all-linear'), z.array(z.enum(TARGETS)).min(1)])
        .default('all-linear')
        .describe('matrices of each layer that have an adapter'),
      marks: z.boolean().default(true).describe('rows of the template’s marks are trained too'),
    })
    .optional()
    .describe('low-rank adapters are trained and the weights stay; rates are about ten times those of all weights'),
  sequence: z.int().min(8).optional().describe('length of a row [tokens]; default: that of the pretraining'),
  batch: count('rows of a step; a row packs several conversations').default(8),
  micro_batch: count('rows that go through the model at once; default: all of a rank, up to 4,096 tokens').optional(),
  steps: count('weight updates; else epochs').optional(),
  epochs: z.number().positive().optional().describe('passes over the conversations; default: 3'),
  learning_rate: learningRate(3e-4, 'linear', 0).prefault({}).describe('rate and its schedule'),
  adam: adam.prefault({ weight_decay: 0 }).describe('AdamW'),
  clip: z.number().positive().default(1).describe('greatest norm of the gradient'),
  validation: z
    .strictObject({
      every: count('steps between two measurements; the last step always has one').default(50),
      share: z.number().min(0).max(0.5).default(0.05).describe('share of the conversations that is held out'),
    })
    .prefault({})
    .describe('loss on the answers of conversations that are held out'),
  checkpoint: z
    .strictObject({
      every: count('steps between two checkpoints; the last step always has one').default(100),
      keep: count('how many are kept, the last one included').default(1),
    })
    .prefault({})
    .describe('where a stopped run goes on'),
  sample: z
    .strictObject({ every: count('steps between samples; the last step always has some').default(200), ...sampling })
    .prefault({})
    .describe('answers on the way'),
  ...running,
});
export type FinetuneSection = z.output<typeof finetuneSection>;
