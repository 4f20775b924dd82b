import type { Engine } from '../engines/engine.ts';
import type { Numbers } from '../ops/define.ts';
import { plan, planHalves, type Plan, type Program } from '../program/plan.ts';
import { bind, viewOf, type Arena, type Hosts } from '../program/replay.ts';
import type { ParallelOptions } from './options.ts';
import { scheduleOf } from './options.ts';
import type { ChunkPlan } from './rank-plan.ts';
import { workOf } from './schedule.ts';

/** How much memory the activations of a rank take, and where they lie. */
export interface ChunkMemory {
  /** Bytes. */
  activations: number;
  /** By the stage's own number of a chunk: plans of its micro-batches in flight; one for a stage alone. */
  learn: Plan[][];
  /** Forward alone. */
  judge: Plan[];
}

/**
 * Places activations. Alone, forward and backward follow each other and share all memory by lifetime. In a pipeline what a
 * backward half needs of its forward half is held once for each micro-batch in flight; the rest is shared by all.
 */
export function placeChunks(chunks: readonly ChunkPlan[], options: ParallelOptions, stage: number): ChunkMemory {
  const judged = chunks.map(({ judge }) => plan(judge));
  const most = (plans: readonly Plan[]) => Math.max(...plans.map((p) => p.activations));
  if (options.mesh.pipeline === 1) {
    const learned = chunks.map(({ learn }) => plan(learn));
    return { activations: most([...judged, ...learned]), learn: learned.map((p) => [p]), judge: judged };
  }
  const halves = chunks.map(({ learn }) => planHalves(learn, learn.border));
  const passing = Math.max(most(judged), most(halves.map((h) => h.passing)));
  let end = passing;
  const learn = halves.map(({ held, passing: shared }, c) =>
    Array.from({ length: heldAtOnce(options, stage, c) }, () => {
      const place = new Map(shared.place);
      for (const [tensor, at] of held.place) place.set(tensor, end + at);
      end += held.activations;
      return { ...shared, place };
    }),
  );
  return { activations: end, learn, judge: judged };
}

/** The most micro-batches of a stage's chunk whose backward half has not ended, however many there are. */
function heldAtOnce(options: ParallelOptions, stage: number, chunk: number): number {
  const stages = options.mesh.pipeline;
  const shape = { stages, micro: 4 * stages * options.chunks, chunks: options.chunks };
  let [held, peak] = [0, 0];
  for (const work of workOf(scheduleOf(options), shape, stage)) {
    if (work.chunk !== chunk) continue;
    held += work.kind === 'forward' ? 1 : -1;
    peak = Math.max(peak, held);
  }
  return peak;
}

/** A chunk that can run. */
export interface BoundChunk {
  /** In the model. */
  index: number;
  /** Micro-batches that can be in flight. */
  slots: number;
  /** The halves, for the micro-batch in a slot; `both` of a stage alone. */
  forward(slot: number): void;
  backward(slot: number): void;
  both(): void;
  judge(): void;
  /** Losses of the last forward half; null but on the last chunk. */
  loss(slot: number): Numbers | null;
  judged: Numbers | null;
}

/** Ties the chunks of a rank to its memory. */
export function bindChunks(
  chunks: readonly ChunkPlan[],
  memory: ChunkMemory,
  arena: Arena,
  engine: Engine,
  hosts: Hosts,
): BoundChunk[] {
  return chunks.map(({ index, learn, judge }, c) => {
    const run = (calls: Program['calls'], where: Plan) => bind({ calls, keep: [] }, where, arena, engine, hosts);
    const plans = memory.learn[c]!;
    const alone = plans.length === 1 ? once(() => run(learn.calls, plans[0]!)) : null;
    const forwards = plans.map((where) => once(() => run(learn.calls.slice(0, learn.border), where)));
    const backwards = plans.map((where) => once(() => run(learn.calls.slice(learn.border), where)));
    const judging = once(() => run(judge.calls, memory.judge[c]!));
    const losses = plans.map((where) => (learn.loss ? viewOf(learn.loss, arena, where) : null));
    return {
      index,
      slots: plans.length,
      forward: (slot) => forwards[slot]!()(),
      backward: (slot) => backwards[slot]!()(),
      both: () => alone!()(),
      judge: () => judging()(),
      loss: (slot) => losses[slot]!,
      judged: judge.loss ? viewOf(judge.loss, arena, memory.judge[c]!) : null,
    };
  });
}

/** Made when it is first asked for. */
function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}
