import type { Work } from '../../parallel/schedule.ts';
import type { Layout } from '../memory.ts';
import { embeddingParameters, endParameters, layerParameters, type Shape } from '../shape.ts';
import { reduceTime, scatterTime } from './collectives.ts';
import { BUCKET, SUSTAINED } from './constants.ts';
import {
  addCosts,
  embeddingCosts,
  groupsOf,
  headCosts,
  layerCosts,
  type Cost,
  type Costs,
  type Machine,
} from './layer.ts';

/** A pipeline stage's chunk: what a micro-batch costs, and what its weights cost to share out. */
export interface Chunk {
  costs: Record<Work['kind'], Cost>;
  parameters: number;
  /** Pieces in which its weights and gradients are shared out; the first is so many-th of its stage. */
  buckets: number;
  first: number;
  /** Seconds in which one bucket's gradients are scattered, and its weights gathered. */
  scatter: number;
  gather: number;
}

/** Layers of each chunk of the model; where they do not divide, the ends have one fewer, for they hold the embedding and the head (Llama 3). */
export function layersOfChunks(layers: number, pieces: number): number[] {
  const [each, more] = [Math.floor(layers / pieces), layers % pieces];
  const before = Math.floor((pieces - more) / 2);
  return Array.from({ length: pieces }, (_, i) => each + (i >= before && i < before + more ? 1 : 0));
}

/** By stage, then by the stage's own chunk. */
export function chunksOf({ shape, gpu, layout, overlapTensor }: Machine & { shape: Shape; layout: Layout }): Chunk[][] {
  const { pipeline, tensor } = layout.mesh;
  const machine = { gpu, overlapTensor };
  const layer = layerCosts(shape, layout, machine);
  const pieces = pipeline * layout.chunks;
  const { shares } = groupsOf(gpu, layout);
  const chunks = layersOfChunks(shape.layers, pieces).map((layers, piece): Chunk => {
    const [first, last] = [piece === 0, piece === pieces - 1];
    const parts: Costs[] = Array.from({ length: layers }, () => layer);
    if (first) parts.push(embeddingCosts(shape, layout, machine));
    if (last) parts.push(headCosts(shape, layout, machine));
    const [forward, input, weight] = (['forward', 'input', 'weight'] as const).map((half) =>
      sustained(addCosts(...parts.map((part) => part[half]))),
    );
    const ends = (first ? embeddingParameters(shape) : 0) + (last ? endParameters(shape) : 0);
    const parameters = (layers * layerParameters(shape) + ends) / tensor;
    const smallest = Math.max(BUCKET.elements, BUCKET.perRank * shares.ranks);
    const buckets = Math.max(1, Math.min(64, Math.floor(parameters / smallest)));
    const each = parameters / buckets;
    const scatter = layout.zero === 0 ? reduceTime(gpu, shares, 4 * each) : scatterTime(gpu, shares, 4 * each);
    return {
      costs: { forward: forward!, input: input!, weight: weight!, backward: addCosts(input!, weight!) },
      parameters,
      buckets,
      first: 0,
      scatter: layout.zero === 3 ? 0 : scatter,
      gather: layout.zero === 0 || layout.zero === 3 ? 0 : scatterTime(gpu, shares, 2 * each),
    };
  });
  for (const [piece, chunk] of chunks.entries()) {
    const before = chunks[piece - pipeline];
    if (before) chunk.first = before.first + before.buckets;
  }
  return Array.from({ length: pipeline }, (_, stage) => chunks.filter((__, piece) => piece % pipeline === stage));
}

/** Kernels as a long training keeps them up. */
const sustained = (cost: Cost): Cost => ({ ...cost, kernels: cost.kernels / SUSTAINED });
