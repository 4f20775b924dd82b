import type { ModelConfig } from '../model/config.ts';
import { weightsOf, type WeightSpec } from '../model/weights.ts';
import { sizeOf } from '../ops/define.ts';
import type { Mesh } from './mesh.ts';
import type { ParallelOptions } from './options.ts';
import { layerOf, partOf, partShape, type Part } from './split.ts';

const EMBEDDING = 'model.embed_tokens.weight';

/** A weight of the whole model as one rank has it. */
export interface LocalWeight {
  spec: WeightSpec;
  part: Part;
  shape: number[];
  /** Floats from the start of this rank's weights. */
  from: number;
  size: number;
  /** Whether this rank's squares count in the norm of the whole gradient: of those that hold the same numbers, one does. */
  counts: boolean;
}

/** Weights of one chunk whose gradients are ready at one time: they go to the other data ranks together. */
export interface Bucket {
  /** In the model. */
  chunk: number;
  weights: readonly LocalWeight[];
  /** Floats from the start of this rank's weights. */
  from: number;
  to: number;
  decay: boolean;
  /** The gradient of a tied embedding's lookups, where the head's is on this rank too: they are summed at the end of a step. */
  second: boolean;
}

export interface LocalWeights {
  /** What is trained comes first. */
  weights: readonly LocalWeight[];
  /** Those that take gradients; all, where nothing is frozen. */
  trained: readonly LocalWeight[];
  buckets: readonly Bucket[];
  /** Of all weights [floats]. */
  size: number;
  /** Of what is trained [floats]. */
  trainedSize: number;
  /** Of all gradients: second ones lie behind those of all trained weights. */
  gradients: number;
}

/** The chunks of the model that stage `stage` has. */
export const chunksOf = ({ mesh, chunks }: ParallelOptions, stage: number): number[] =>
  Array.from({ length: chunks }, (_, i) => i * mesh.pipeline + stage);

/** The chunk of a weight; a tied embedding is in the first by its lookups and in the last by its use as the head. */
export function chunkOfWeight(name: string, config: ModelConfig, options: ParallelOptions, asHead: boolean): number {
  const count = options.mesh.pipeline * options.chunks;
  const layer = layerOf(name);
  if (layer !== null) return Math.floor((layer * count) / config.layers);
  return name === EMBEDDING && !asHead ? 0 : count - 1;
}

/** What a rank has of a model, in the order of the whole: what is trained first, and of that what decays first. */
export function localWeights(config: ModelConfig, options: ParallelOptions, place: Mesh): LocalWeights {
  const { mesh } = options;
  const mine = chunksOf(options, place.pipeline);
  const last = mesh.pipeline * options.chunks - 1;
  const weights: LocalWeight[] = [];
  const chunkOf = new Map<LocalWeight, number>();
  let size = 0;
  const specs = weightsOf(config);
  for (const spec of [...specs.filter((s) => !s.frozen), ...specs.filter((s) => s.frozen)]) {
    const uses = [chunkOfWeight(spec.name, config, options, false)];
    if (spec.name === EMBEDDING && config.tiedEmbeddings) uses.push(last);
    const chunk = uses.find((c) => mine.includes(c));
    if (chunk === undefined) continue;
    const part = partOf(spec, config, place.tensor, mesh.tensor);
    const shape = partShape(spec.shape, part);
    const weight: LocalWeight = {
      spec,
      part,
      shape,
      from: size,
      size: sizeOf(shape),
      counts: part.holders[0] === place.tensor && chunk === uses[0],
    };
    size += weight.size;
    weights.push(weight);
    chunkOf.set(weight, chunk);
  }
  const trained = weights.filter(({ spec }) => !spec.frozen);
  const trainedSize = trained.reduce((sum, w) => sum + w.size, 0);
  const buckets: Bucket[] = [];
  const groups = new Map<string, LocalWeight[]>();
  for (const weight of trained) {
    const kind = weight.spec.decay ? (layerOf(weight.spec.name) ?? weight.spec.name) : 'norms';
    const key = `${chunkOf.get(weight)} ${kind}`;
    groups.set(key, [...(groups.get(key) ?? []), weight]);
  }
  for (const group of groups.values()) {
    const bucket: Bucket = {
      chunk: chunkOf.get(group[0]!)!,
      weights: group,
      from: group[0]!.from,
      to: group.at(-1)!.from + group.at(-1)!.size,
      decay: group[0]!.spec.decay,
      second: false,
    };
    buckets.push(bucket);
    if (group[0]!.spec.name === EMBEDDING && config.tiedEmbeddings && mesh.pipeline === 1)
      buckets.push({ ...bucket, second: true });
  }
  const second = buckets.find((b) => b.second);
  const gradients = trainedSize + (second ? second.to - second.from : 0);
  return { weights, trained, buckets, size, trainedSize, gradients };
}

/** Where the gradient of a bucket begins among this rank's gradients [floats]. */
export const gradientStart = (bucket: Bucket, { trainedSize }: LocalWeights): number =>
  bucket.second ? trainedSize : bucket.from;

/** Squares of gradients are summed in blocks of so many floats from the start of a weight; parts of a bucket end at their edges. */
export const BLOCK = 4096;

/**
 * Where a bucket is cut for `ranks` data ranks: about even, at edges of blocks, so that the norm has the same bits whoever
 * sums a block. ranks + 1 ascending places from the start of the bucket.
 */
export function edgesOf(bucket: Bucket, ranks: number): number[] {
  const length = bucket.to - bucket.from;
  const snap = (place: number): number => {
    const weight = bucket.weights.find((w) => bucket.from + place < w.from + w.size);
    if (!weight) return length;
    const within = bucket.from + place - weight.from;
    const edge = weight.from + Math.min(weight.size, Math.ceil(within / BLOCK) * BLOCK);
    return edge - bucket.from;
  };
  return Array.from({ length: ranks + 1 }, (_, r) => (r === 0 ? 0 : snap(Math.floor((length * r) / ranks))));
}
