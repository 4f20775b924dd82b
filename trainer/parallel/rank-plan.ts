import { rowsOf, type Lora } from '../lora/lora.ts';
import { adaptTape } from '../lora/rewrite.ts';
import type { ModelConfig } from '../model/config.ts';
import { llama, outcome } from '../model/llama.ts';
import { weightsOf } from '../model/weights.ts';
import { copy } from '../ops/add/op.ts';
import { defineHostKernel, type Call, type Step, type Tape, type Target, type Tensor } from '../ops/define.ts';
import { differentiate } from '../program/differentiate.ts';
import { neededCalls } from '../program/needed.ts';
import { storageOf, type Program } from '../program/plan.ts';
import { record } from '../program/record.ts';
import { cutTape, insideLayers, type Chunk } from './cut.ts';
import { chunkOfWeight, chunksOf, localWeights, type Bucket, type LocalWeights } from './local.ts';
import type { Mesh } from './mesh.ts';
import type { ParallelOptions } from './options.ts';
import { shardTape } from './shard.ts';
import { layerOf, partOf, partShape } from './split.ts';

/** The part of a model that runs without a word from another stage. */
export interface ChunkPlan {
  /** In the model: 0 … pipeline · chunks − 1. */
  index: number;
  /** Forward and backward calls; `border` is the first of backward. `loss` [N] float64 on the last chunk. */
  learn: Program & { border: number; loss: Tensor | null };
  /** Forward alone. */
  judge: Program & { loss: Tensor | null };
}

export interface RankPlan {
  local: LocalWeights;
  chunks: readonly ChunkPlan[];
  inputs: Record<'tokens' | 'targets' | 'scales' | 'positions' | 'starts' | 'table', Tensor>;
  /** Tensors that keep their place from step to step, in the order of the weights; gradients: of trained ones, second ones behind them. */
  weights: readonly Tensor[];
  gradients: readonly Tensor[];
}

/** Words to the stages beside, by the number of their chunk. */
const receive = defineHostKernel({ name: 'pipeline_receive', tensors: { x: 'write' }, numbers: ['chunk'] });
const send = defineHostKernel({ name: 'pipeline_send', tensors: { x: 'read' }, numbers: ['chunk'] });
/** A bucket has the gradients of this micro-batch; `shrink` has them in memory of their own. */
export const ready = defineHostKernel({ name: 'bucket_ready', tensors: {}, numbers: ['bucket'] });
const shrink = defineHostKernel({ name: 'bucket_shrink', tensors: { x: 'update' }, numbers: ['bucket'] });

/** Floats of a message between two stages. */
export const boundaryOf = (config: ModelConfig, rows: number, { sequence, mesh }: ParallelOptions): number =>
  (rows / (sequence ? mesh.tensor : 1)) * config.width;

/**
 * Everything that one rank of a mesh runs: the model recorded once, rewritten for tensor ranks, cut into chunks for stages,
 * then differentiated. `micro` rows of `sequence` tokens go through it at once.
 */
export function planRank(
  config: ModelConfig,
  shape: { micro: number; sequence: number },
  options: ParallelOptions,
  place: Mesh,
): RankPlan {
  const local = localWeights(config, options, place);
  const inputs = inputTensors(config, shape);
  const parts = partTensors(config, options, place);
  const weights = local.weights.map(({ spec }) => parts.get(spec.name)!.tensor);
  const gradients = local.trained.map(({ spec, shape: size }): Tensor => ({
    name: `${spec.name}.gradient`,
    shape: size,
    type: 'f32',
    zone: 'gradients',
  }));
  for (const { second, weights: of } of local.buckets)
    if (second) gradients.push({ name: 'lookups.gradient', shape: of[0]!.shape, type: 'f32', zone: 'gradients' });

  const tapes = () => chunkTapes(config, shape.micro, options, place.tensor, inputs, parts);
  const learned = tapes();
  const judged = tapes();
  const last = learned.chunks.length - 1;
  const chunks = chunksOf(options, place.pipeline).map((index): ChunkPlan => {
    const forward = withEnds(learned.chunks[index]!, index);
    const where = gradientPlaces(local, index, options.zero === 2, gradients, config.lora);
    const backward = backwardOf(learned.chunks[index]!, index, options, where);
    const loss = (of: Tensor) => (index === last ? of : null);
    const keep = (of: Tensor) => (index === last ? [of] : []);
    return {
      index,
      learn: {
        calls: [...forward, ...backward],
        border: forward.length,
        keep: keep(learned.loss),
        loss: loss(learned.loss),
      },
      judge: { calls: withEnds(judged.chunks[index]!, index), keep: keep(judged.loss), loss: loss(judged.loss) },
    };
  });
  return { local, chunks, inputs, weights, gradients };
}

function inputTensors(config: ModelConfig, shape: { micro: number; sequence: number }): RankPlan['inputs'] {
  const rows = shape.micro * shape.sequence;
  const whole = (name: string): Tensor => ({ name, shape: [rows], type: 'i32', zone: 'inputs' });
  return {
    tokens: whole('tokens'),
    targets: whole('targets'),
    scales: { name: 'scales', shape: [rows], type: 'f32', zone: 'inputs' },
    positions: whole('positions'),
    starts: whole('starts'),
    table: { name: 'table', shape: [shape.sequence, config.headSize], type: 'f32', zone: 'inputs' },
  };
}

interface PartTensor {
  tensor: Tensor;
  axis: 0 | 1 | null;
  from: number;
}

/** A tensor for this tensor rank's part of each weight of the model, by name. */
function partTensors(config: ModelConfig, { mesh }: ParallelOptions, place: Mesh): Map<string, PartTensor> {
  return new Map(
    weightsOf(config).map((spec) => {
      const part = partOf(spec, config, place.tensor, mesh.tensor);
      const shape = partShape(spec.shape, part);
      const tensor: Tensor = { name: spec.name, shape, type: 'f32', zone: 'weights' };
      return [spec.name, { tensor, axis: part.axis, from: part.from }];
    }),
  );
}

/** The model as this tensor rank runs it, in chunks, and its loss. */
function chunkTapes(
  config: ModelConfig,
  micro: number,
  options: ParallelOptions,
  rank: number,
  inputs: RankPlan['inputs'],
  parts: ReadonlyMap<string, PartTensor>,
): { chunks: Chunk[]; loss: Tensor } {
  const { mesh, sequence } = options;
  const whole = new Map(
    weightsOf(config).map(({ name, shape }): [string, Tensor] => [
      name,
      mesh.tensor === 1 ? parts.get(name)!.tensor : { name, shape, type: 'f32', zone: 'weights' },
    ]),
  );
  const weight = (name: string) => whole.get(`${name}.weight`)!;
  const plain = record(() => outcome(config, weight, llama(config, weight, inputs, micro), inputs));
  const recorded = config.lora ? adaptTape(plain.tape, plain.result, config.lora, (name) => whole.get(name)!) : plain;
  const { tape, result } =
    mesh.tensor === 1
      ? recorded
      : shardTape(recorded.tape, recorded.result, {
          ranks: mesh.tensor,
          rank,
          sequence,
          weight: ({ name }) => parts.get(name)!,
        });
  const chunkOf = ({ name }: Tensor, step: Step) => chunkOfWeight(name, config, options, step.op.name === 'linear');
  return { chunks: cutTape(tape, mesh.pipeline * options.chunks, chunkOf), loss: result };
}

/** A chunk's forward calls between what it hears and what it says. */
const withEnds = ({ tape, input, output }: Chunk, index: number): Call[] => [
  ...(input ? [receive({ x: input }, { chunk: index - 1 })] : []),
  ...tape.calls,
  ...(output ? [send({ x: output }, { chunk: index + 1 })] : []),
];

interface GradientPlaces {
  /** Where a use of a weight puts its gradient: that of a frozen one lies where nobody reads it, but for trained rows of it. */
  of: (weight: Tensor, use: Step) => Tensor | Target;
  /** What follows a call that has put a gradient there: trained rows are picked out. */
  after: (call: Call) => Call[];
  /** The call that follows the last one of a bucket, and which tensors belong to the bucket. */
  buckets: { has: (tensor: Tensor) => boolean; done: () => Call }[];
}

/** Gradients in their own zone, or (`passing`, ZeRO-2) side by side in memory that is given back once they are summed. */
function gradientPlaces(
  local: LocalWeights,
  chunk: number,
  passing: boolean,
  gradients: readonly Tensor[],
  lora: Lora | undefined,
): GradientPlaces {
  const mine = local.buckets.flatMap((bucket, number) => (bucket.chunk === chunk ? [{ bucket, number }] : []));
  const fixed = new Map(local.trained.map(({ spec }, i) => [spec.name, gradients[i]!]));
  const unread = new Map<Tensor, string>();
  const bases = new Map<Bucket, Tensor>();
  const pieces = new Map<Bucket, Map<string, Tensor>>();
  const placeOf = (bucket: Bucket, name: string): Tensor | Target => {
    if (!passing) return bucket.second ? gradients.at(-1)! : fixed.get(name)!;
    const base = bases.get(bucket)!;
    const known = pieces.get(bucket)!.get(name);
    if (known) return { tensor: known, add: true };
    const { from, shape } = bucket.weights.find(({ spec }) => spec.name === name)!;
    const at = from - bucket.from;
    const piece: Tensor = { name: `${name}.gradient`, shape, type: 'f32', zone: 'activations', over: base, at };
    pieces.get(bucket)!.set(name, piece);
    return { tensor: piece, add: false };
  };
  for (const { bucket, number } of mine) {
    const shape = [bucket.to - bucket.from];
    bases.set(bucket, { name: `bucket ${number}`, shape, type: 'f32', zone: 'activations' });
    pieces.set(bucket, new Map());
  }
  return {
    of(weight, use) {
      const lookup = use.op.name.startsWith('embedding');
      const holds = mine.filter(({ bucket }) => bucket.weights.some(({ spec }) => spec.name === weight.name));
      const found = holds.find((h) => h.bucket.second === lookup) ?? holds[0];
      if (found) return placeOf(found.bucket, weight.name);
      const nowhere: Tensor = { ...weight, name: `${weight.name}.gradient`, zone: 'activations' };
      unread.set(nowhere, weight.name);
      return { tensor: nowhere, add: false };
    },
    after(call) {
      const table = call.tensors.find((t) => unread.has(t));
      const rows = table && rowsOf(unread.get(table)!, lora);
      if (!rows) return [];
      const { bucket } = mine.find((m) => m.bucket.weights.some(({ spec }) => spec.name === rows))!;
      return pickRows(table, placeOf(bucket, rows), lora!.rows);
    },
    buckets: mine.map(({ bucket, number }) => {
      const base = bases.get(bucket)!;
      const places = new Set(bucket.weights.map(({ spec }) => fixed.get(spec.name)!));
      return passing
        ? { has: (t) => storageOf(t) === base, done: () => shrink({ x: base }, { bucket: number }) }
        : {
            has: (t) => (bucket.second ? t === gradients.at(-1) : places.has(storageOf(t))),
            done: () => ready({}, { bucket: number }),
          };
    }),
  };
}

/** Copies rows of a gradient to where they are added up: as many at a time as lie together. */
function pickRows(table: Tensor, into: Tensor | Target, rows: readonly number[]): Call[] {
  const { tensor, add } = 'tensor' in into ? into : { tensor: into, add: true };
  const width = table.shape[1]!;
  const piece = (of: Tensor, row: number, count: number): Tensor => {
    const { name, type, zone, over = of, at = 0 } = of;
    return { name, type, zone, shape: [count, width], over, at: at + row * width };
  };
  const calls: Call[] = [];
  for (let at = 0, count = 1; at < rows.length; at += count, count = 1) {
    while (rows[at + count] === rows[at]! + count) count++;
    const y = { tensor: piece(tensor, at, count), add };
    calls.push(copy({ y, x: { ...piece(table, rows[at]!, count), alias: true } }, { size: count * width }));
  }
  return calls;
}

/** A chunk's backward calls between what it hears and what it says, with a word after the last call of each bucket. */
function backwardOf(
  { tape, input, output }: Chunk,
  index: number,
  options: ParallelOptions,
  where: GradientPlaces,
): Call[] {
  const seed: Tensor | null = output && { ...output, name: 'gradient from the next chunk' };
  delete seed?.over;
  delete seed?.alias;
  const { calls: made, gradients } = differentiate(tape, {
    weightGradient: where.of,
    seeds: new Map(seed ? [[output!, seed]] : []),
    recompute: recomputed(tape, options),
  });
  const calls = made.flatMap((call) => [call, ...where.after(call)]);
  const after = new Map<number, Call[]>();
  for (const { has, done } of where.buckets) {
    const at = calls.findLastIndex((call) => call.tensors.some(has));
    after.set(at, [...(after.get(at) ?? []), done()]);
  }
  const out = input && gradients.get(input);
  return neededCalls([
    ...(seed ? [receive({ x: seed }, { chunk: index + 1 })] : []),
    ...calls.flatMap((call, at) => [call, ...(after.get(at) ?? [])]),
    ...(out ? [send({ x: out }, { chunk: index - 1 })] : []),
  ]);
}

const CHEAP = new Set(['rmsnorm', 'swiglu', 'enter', 'gather_rows']);

/** The steps that are made again: norms, activations and gathered rows; or all that no other layer needs. */
function recomputed(tape: Tape, { recompute }: ParallelOptions): (step: Step) => boolean {
  if (recompute === 'none') return () => false;
  const outer = (use: Step) => (use.op.name.startsWith('embedding') ? -1 : Infinity);
  const inside = insideLayers(tape, ({ name }, use) => layerOf(name) ?? outer(use));
  return (step) => inside.has(step) && (recompute === 'full' || CHEAP.has(step.op.name));
}
