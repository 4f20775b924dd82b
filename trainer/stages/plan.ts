import { availableParallelism } from 'node:os';
import { GarnerError } from '../../core/errors.ts';
import type { PretrainSection } from '../recipe.ts';
import type { RateSchedule } from '../schedule/learning-rate.ts';
import { configOfDepth } from '../model/config.ts';
import type { ModelConfig, SessionOptions } from '../session.ts';
import type { LoopPlan } from './loop.ts';

/** Tokens of a micro-batch where the recipe names no size: enough work for the matrix kernels, little enough for the caches. */
const MICRO_BATCH_TOKENS = 4096;

const wrong = (what: string, hint: string) => new GarnerError({ what, hint, fault: 2 });

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

/**
 * Rows that go through the model at once: they must divide the rows of a rank. Where the recipe leaves them open they also
 * divide half a batch, whatever the ranks, since one rank and two give the same bits only over the same micro-batches.
 */
export function microBatchOf(
  section: string,
  p: { batch: number; ranks: number; micro_batch?: number | undefined },
  sequence: number,
): number {
  const mine = p.batch / p.ranks;
  if (!Number.isInteger(mine))
    throw wrong(`${section}: a batch of ${p.batch} for ${p.ranks} ranks`, 'the ranks must divide the batch');
  if (p.micro_batch !== undefined) {
    if (mine % p.micro_batch !== 0)
      throw wrong(
        `${section}: a micro-batch of ${p.micro_batch} in ${mine} rows a rank`,
        'micro_batch must divide batch / ranks',
      );
    return p.micro_batch;
  }
  const whole = p.ranks === 1 && p.batch % 2 === 0 ? mine / 2 : mine;
  let rows = Math.max(1, Math.min(whole, Math.floor(MICRO_BATCH_TOKENS / sequence)));
  while (whole % rows !== 0) rows--;
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
const adamOf = (p: PretrainSection['adam']) => ({
  beta1: p.beta1,
  beta2: p.beta2,
  epsilon: p.epsilon,
  weightDecay: p.weight_decay,
});

/** Threads of each rank on this machine: together they never ask for more cores than there are. */
export function threadsOf(section: string, ranks: number, threads?: number): number {
  const cores = availableParallelism();
  if (ranks * (threads ?? 1) > cores)
    throw wrong(
      `${section}: ${ranks} ranks${threads ? ` with ${threads} threads each` : ''} on ${cores} cores`,
      'threads × ranks must not be above the cores of the machine',
    );
  return threads ?? Math.max(1, Math.floor(cores / ranks));
}

/** What both trainings draw from their sections alike: the loop's plan and the session's shape. */
export function planOf(
  stage: 'pretrain' | 'finetune',
  p: Pick<
    PretrainSection,
    'batch' | 'micro_batch' | 'ranks' | 'threads' | 'seed' | 'learning_rate' | 'adam' | 'clip'
  > & {
    name: string;
    validation: { every: number };
  },
  steps: number,
  sequence: number,
): { plan: LoopPlan; session: SessionOptions } {
  const microBatch = microBatchOf(stage, p, sequence);
  return {
    plan: {
      run: p.name,
      steps,
      sequence,
      batch: p.batch,
      microBatch,
      rate: rateOf(p.learning_rate, steps),
      adam: adamOf(p.adam),
      clip: p.clip,
      validateEvery: p.validation.every,
    },
    session: {
      batch: microBatch,
      sequence,
      threads: threadsOf(stage, p.ranks, p.threads),
      engine: 'cpu',
      seed: p.seed,
    },
  };
}
