import { GarnerError } from '../../core/errors.ts';
import type { PretrainSection } from '../recipe.ts';
import type { RateSchedule } from '../schedule/learning-rate.ts';
import { configOfDepth } from '../model/config.ts';
import type { ModelConfig } from '../session.ts';
import type { LearnerOptions } from '../parallel/open.ts';
import { checkParallel, type ParallelOptions } from '../parallel/options.ts';
import type { LoopPlan } from './loop.ts';

/** Tokens of a micro-batch where the recipe names no size: enough work for the matrix kernels, little enough for the caches. */
const MICRO_BATCH_TOKENS = 4096;

const wrong = (what: string, hint: string) => new GarnerError({ what, hint, fault: 2 });

/** What of a section changes no more than the last bits of a result: a run goes on under another mesh. */
export const NOT_IN_KEY = { threads: undefined, ranks: undefined, parallel: undefined };

/** The model that a recipe asks for: everything that it leaves open follows from the depth. */
export function modelConfig(model: PretrainSection['model'], vocabulary: number, context: number): ModelConfig {
  const { width, heads, headSize } = configOfDepth(model.depth, {
    vocabulary,
    context,
    ...given({ width: model.width }),
  });
  const queries = model.heads ?? heads;
  const perHead = model.heads === undefined ? headSize : width / queries;
  if (!Number.isInteger(perHead) || perHead % 2 !== 0)
    throw wrong(
      `pretrain.model: ${width} channels in ${queries} heads`,
      'the width must be a multiple of twice the heads, since rotary angles turn pairs',
    );
  return configOfDepth(model.depth, {
    vocabulary,
    context,
    width,
    heads: queries,
    headSize: perHead,
    keyValueHeads: model.kv_heads ?? queries,
    ropeTheta: model.rope_theta,
    normEpsilon: model.norm_epsilon,
    tiedEmbeddings: model.tied,
    ...given({ layers: model.layers, feedForward: model.feed_forward }),
  });
}

/** The members that a recipe names. */
const given = (members: Partial<Record<keyof ModelConfig, number | undefined>>): Partial<ModelConfig> =>
  Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));

/** Weight updates of a run over `count` samples an epoch: as named, else from tokens, else from epochs. */
export function stepsOf(
  p: { steps?: number | undefined; tokens?: number | undefined; epochs?: number | undefined },
  shape: { batch: number; sequence: number; count: number; epochs: number },
): number {
  if (p.steps !== undefined) return p.steps;
  if (p.tokens !== undefined) return Math.ceil(p.tokens / (shape.batch * shape.sequence));
  return Math.max(1, Math.ceil(((p.epochs ?? shape.epochs) * shape.count) / shape.batch));
}

/** How a recipe spreads a training over ranks. Throws a GarnerError with both sides where its numbers do not fit. */
export function parallelOf(
  section: string,
  { ranks, parallel: p }: Pick<PretrainSection, 'ranks' | 'parallel'>,
): ParallelOptions {
  const model = p.tensor * p.pipeline;
  const data = p.data ?? (ranks ?? model) / model;
  const whole = Number.isInteger(data);
  if (!whole || (ranks !== undefined && ranks !== data * model)) {
    const product = `data ${whole ? data : data.toFixed(2)} × tensor ${p.tensor} × pipeline ${p.pipeline}`;
    throw wrong(
      `${section}: ${whole ? `${ranks} ranks, but ${product} = ${data * model}` : `${ranks} ranks = ${product}`}`,
      'the ranks are the product of the three, whole numbers all',
    );
  }
  return {
    mesh: { data, tensor: p.tensor, pipeline: p.pipeline },
    chunks: p.chunks,
    zero: p.zero,
    sequence: p.sequence,
    recompute: p.recompute,
  };
}

/**
 * Rows that go through the model at once: with the data ranks they must divide the batch. Where the recipe leaves them open
 * they also divide half a batch, since meshes give the same bits only over the same micro-batches; a pipeline gets four a stage
 * where there are so many rows.
 */
export function microBatchOf(
  section: string,
  p: { batch: number; micro_batch?: number | undefined },
  { mesh, chunks }: ParallelOptions,
  sequence: number,
): number {
  const { data, pipeline } = mesh;
  const mine = p.batch / data;
  if (!Number.isInteger(mine))
    throw wrong(`${section}: a batch of ${p.batch} for ${data} data ranks`, 'the data ranks must divide the batch');
  if (p.micro_batch !== undefined) {
    if (mine % p.micro_batch !== 0)
      throw wrong(
        `${section}: a micro-batch of ${p.micro_batch} in ${mine} rows a data rank`,
        'micro_batch must divide batch / data',
      );
    return p.micro_batch;
  }
  const whole = data === 1 && p.batch % 2 === 0 ? mine / 2 : mine;
  const fits = (rows: number) =>
    whole % rows === 0 &&
    (chunks === 1 || (mine / rows) % pipeline === 0) &&
    (pipeline === 1 || mine / rows >= 4 * pipeline);
  let rows = Math.max(1, Math.min(whole, Math.floor(MICRO_BATCH_TOKENS / sequence)));
  while (rows > 1 && !fits(rows)) rows--;
  return rows;
}

/** The schedule over `steps` updates. */
export const rateOf = (p: PretrainSection['learning_rate'], steps: number): RateSchedule => ({
  kind: p.schedule,
  peak: p.peak,
  warmup: Math.min(steps, p.warmup ?? Math.min(200, Math.round(steps / 20))),
  end: p.end,
  decay: p.decay,
  steps,
});

/** AdamW's numbers by the session's names. */
export const adamOf = (p: PretrainSection['adam']) => ({
  beta1: p.beta1,
  beta2: p.beta2,
  epsilon: p.epsilon,
  weightDecay: p.weight_decay,
});

/** What both trainings draw from their sections alike: the loop's plan and the learner's shape. */
export function planOf(
  stage: 'pretrain' | 'finetune',
  p: Pick<
    PretrainSection,
    'batch' | 'micro_batch' | 'ranks' | 'parallel' | 'threads' | 'seed' | 'learning_rate' | 'adam' | 'clip'
  > & {
    name: string;
    validation: { every: number };
  },
  config: ModelConfig,
  shape: { steps: number; sequence: number; documents: boolean },
): { plan: LoopPlan; learner: LearnerOptions } {
  const parallel = parallelOf(stage, p);
  const { sequence } = shape;
  const micro = microBatchOf(stage, p, parallel, sequence);
  checkParallel(config, parallel, { batch: p.batch, micro, sequence });
  return {
    plan: {
      run: p.name,
      steps: shape.steps,
      sequence,
      batch: p.batch,
      stepTokens: p.batch * sequence,
      microBatch: micro,
      rate: rateOf(p.learning_rate, shape.steps),
      adam: adamOf(p.adam),
      clip: p.clip,
      validateEvery: p.validation.every,
    },
    learner: {
      batch: micro,
      sequence,
      documents: shape.documents,
      threads: p.threads ?? 1,
      engine: 'cpu',
      seed: p.seed,
      parallel,
    },
  };
}
