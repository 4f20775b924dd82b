import { workOf, type Schedule, type ScheduleShape, type Work } from '../../parallel/schedule.ts';
import { flopsPerToken } from '../flops.ts';
import { peakOf, type Gpu } from '../gpus.ts';
import type { Layout } from '../memory.ts';
import { sizeOf } from '../mesh.ts';
import type { Shape } from '../shape.ts';
import { chunksOf, type Chunk } from './chunks.ts';
import { messageTime, reduceTime } from './collectives.ts';
import { CHANNELS, COPY, limitsOf, OPTIMIZER_BYTES, SPREAD } from './constants.ts';
import { addCosts, groupsOf, secondsOf, tokensOf, type Cost } from './layer.ts';
import { simulateWork } from './pipeline.ts';
import { slowestOfStages } from './stragglers.ts';

/** One training step to simulate. */
export interface SimulatedStep {
  shape: Shape;
  gpu: Gpu;
  layout: Layout;
  schedule: Schedule;
  /** Tensor-parallel collectives run beside the products (Megatron's `--tp-comm-overlap`). */
  overlapTensor: boolean;
  /** Of the GPUs' speeds. */
  seed: number;
  /** Deviation of the logarithm of the GPUs' speeds; absent: SPREAD. */
  spread?: number;
}

/** Where a step's time goes, in the order in which it is stacked; adds up to the step [s]. */
export interface Breakdown {
  /** The model's FLOPs at the peak. */
  model: number;
  /** What kernels take beyond: products below the peak, passes over memory, recomputation. */
  kernels: number;
  tensor: number;
  context: number;
  /** Stages that wait: fill and drain, messages, uneven stages. */
  pipeline: number;
  /** Gradients scattered and weights gathered that no work hides. */
  data: number;
  optimizer: number;
  /** Waiting for GPUs that are slower than the typical one. */
  stragglers: number;
}

export interface StepResult {
  seconds: number;
  breakdown: Breakdown;
  /** Model FLOPs, causality not credited, over the peak. */
  mfu: number;
  tokensPerSecond: number;
}

/**
 * Simulates a step: each data-parallel replica's pipeline event by event, with the speed of its own GPUs (the slowest of the
 * GPUs that share a layer holds them), then the gradients that the replicas reduce bucket by bucket as the last backwards make
 * them, the norm over all, the optimizer; the weights are gathered beside the next step's first forwards. Throws a GarnerError
 * where schedule and micro-batches do not fit.
 */
export function simulateStep(step: SimulatedStep): StepResult {
  const { shape, gpu, layout } = step;
  const { mesh } = layout;
  const of: ScheduleShape = { stages: mesh.pipeline, micro: layout.microBatches, chunks: layout.chunks };
  const works = Array.from({ length: mesh.pipeline }, (_, stage) => workOf(step.schedule, of, stage));
  const pipeline: Pipeline = { step, shape: of, works, chunks: chunksOf(step) };
  const { chunks } = pipeline;

  const typical = [new Float64Array(mesh.pipeline).fill(1)];
  const lone = runReplicas(pipeline, typical, false).end;
  const shared = shareGradients(pipeline, runReplicas(pipeline, typical, true));
  const slowest = slowestOfStages(mesh, step.spread ?? SPREAD, step.seed);
  const all = shareGradients(pipeline, runReplicas(pipeline, slowest, true));

  const busy = averageBusy(works, chunks);
  const tokens = layout.microBatch * layout.microBatches * layout.sequence * mesh.data;
  const model = (tokens * flopsPerToken(shape, layout.sequence)) / (sizeOf(mesh) * peakOf(gpu, layout.precision));
  const optimizer = optimizerTime(step, chunks);
  const seconds = all + optimizer;
  return {
    seconds,
    mfu: model / seconds,
    tokensPerSecond: tokens / seconds,
    breakdown: {
      model,
      kernels: busy.kernels - model,
      tensor: busy.tensor,
      context: busy.context,
      pipeline: lone - secondsOf(busy),
      data: busy.data + shared - lone,
      optimizer,
      stragglers: all - shared,
    },
  };
}

/** Mean over the stages of what a typical GPU does in a step. */
function averageBusy(works: Work[][], chunks: Chunk[][]): Cost {
  const perStage = works.map((work, stage) => {
    const sums = { kernels: 0, tensor: 0, context: 0, data: 0 };
    for (const { kind, chunk } of work) {
      const cost = chunks[stage]![chunk]!.costs[kind];
      for (const key of ['kernels', 'tensor', 'context', 'data'] as const) sums[key] += cost[key];
    }
    return sums;
  });
  const all = addCosts(...perStage);
  const n = works.length;
  return { kernels: all.kernels / n, tensor: all.tensor / n, context: all.context / n, data: all.data / n };
}

/** The gradients' norm over all GPUs, then each one's share of AdamW; the stage with the most weights holds the rest. */
function optimizerTime({ gpu, layout }: SimulatedStep, chunks: Chunk[][]): number {
  const { shares } = groupsOf(gpu, layout);
  const weights = Math.max(...chunks.map((own) => own.reduce((n, { parameters }) => n + parameters, 0)));
  const share = weights / (layout.zero === 0 ? 1 : shares.ranks);
  const gpus = sizeOf(layout.mesh);
  const norm = reduceTime(gpu, { ranks: gpus, aHost: Math.min(gpus, gpu.node) }, 4);
  return norm + (OPTIMIZER_BYTES * share) / (gpu.bandwidth * COPY);
}

/** What is the same for all replicas of a step. */
interface Pipeline {
  step: SimulatedStep;
  shape: ScheduleShape;
  works: Work[][];
  chunks: Chunk[][];
}

/** What replicas give together: the last end, and by stage when the last of them has made each bucket of gradients. */
interface Replicas {
  end: number;
  ready: Float64Array[];
}

/** Runs replicas that differ only in how much longer their stages' kernels take; with `sharing`, the bytes of weights and gradients pass beside the work. */
function runReplicas(pipeline: Pipeline, factors: Float64Array[], sharing: boolean): Replicas {
  const { step, shape, works, chunks } = pipeline;
  const { stages, micro } = shape;
  const ready = chunks.map((own) => new Float64Array(own.reduce((n, { buckets }) => n + buckets, 0)));
  const transfer = messageOf(step);
  let end = 0;
  for (const factor of factors) {
    const time = (stage: number, work: Work, start: number): number => {
      const chunk = chunks[stage]![work.chunk]!;
      const cost = chunk.costs[work.kind];
      const base = cost.kernels * factor[stage]! + cost.tensor + cost.context + cost.data;
      if (!sharing) return base;
      if (work.kind === 'forward' && work.micro === 0 && chunk.gather > 0) return waiting(chunk, start, base);
      const isLast = work.micro === micro - 1 && (work.kind === 'backward' || work.kind === 'weight');
      if (!isLast || chunk.scatter === 0) return base;
      for (let i = 0; i < chunk.buckets; i++) {
        const at = start + ((i + 1) / chunk.buckets) * base;
        ready[stage]![chunk.first + i] = Math.max(ready[stage]![chunk.first + i]!, at);
      }
      return base;
    };
    const run = simulateWork(works, shape, stages === 1 ? { time } : { time, ...transfer });
    end = Math.max(end, run.makespan);
  }
  return { end, ready };
}

/** How long a chunk's first forward takes from `start`, when its weights arrive bucket by bucket since the step began. */
function waiting({ first, buckets, gather }: Chunk, start: number, seconds: number): number {
  let clock = start;
  for (let i = 0; i < buckets; i++) clock = Math.max(clock, (first + i + 1) * gather) + seconds / buckets;
  return clock - start;
}

/**
 * When the last gradients are shared out: each stage's buckets follow each other over its network ports, none before all replicas
 * have made it. What passes beside work takes multiprocessors from it.
 */
function shareGradients({ step, chunks }: Pipeline, { end, ready }: Replicas): number {
  const taken = CHANNELS / limitsOf(step.gpu).units;
  const ends = chunks.map((own, stage) => {
    const buckets = own.flatMap(({ first, buckets: n, scatter }) =>
      Array.from({ length: n }, (_, i) => ({ at: ready[stage]![first + i]!, scatter })),
    );
    const last = buckets.toSorted((a, b) => a.at - b.at).reduce((t, { at, scatter }) => Math.max(t, at) + scatter, 0);
    const shared = own.reduce((n, chunk) => n + chunk.buckets * (chunk.scatter + chunk.gather), 0);
    const beside = Math.max(0, shared - Math.max(0, last - end));
    return Math.max(end, last) + taken * beside;
  });
  return Math.max(...ends) + tiedTime(step);
}

/** Both ends of a pipeline add the gradients of an embedding that is also the head. */
function tiedTime({ shape, gpu, layout }: SimulatedStep): number {
  const { pipeline, tensor } = layout.mesh;
  if (!shape.tied || pipeline === 1) return 0;
  return reduceTime(gpu, { ranks: 2, aHost: 1 }, (4 * shape.vocabulary * shape.width) / tensor);
}

/** Messages between stages: each tensor rank sends its part of the activation. */
function messageOf({ shape, gpu, layout }: SimulatedStep) {
  const gpus = sizeOf(layout.mesh);
  const bytes = (2 * tokensOf(layout) * shape.width) / layout.mesh.tensor;
  const { taken, latency } = messageTime(gpu, bytes, gpus <= gpu.node, Math.ceil(gpus / gpu.node));
  return { transfer: () => taken, latency: () => latency };
}
