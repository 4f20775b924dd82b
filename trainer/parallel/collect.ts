import type { Group, World } from '../collectives/group.ts';
import type { ModelConfig } from '../model/config.ts';
import { sizeOf } from '../ops/define.ts';
import { weightsOf } from '../model/weights.ts';
import type { Kind } from './learner.ts';
import { chunkOfWeight, type LocalWeight, type LocalWeights } from './local.ts';
import { rankAt, type Mesh } from './mesh.ts';
import type { ParallelOptions } from './options.ts';
import { copyPart, partOf, partShape } from './split.ts';

/** What a rank has of a model, for whole tensors to be made of it. */
export interface Stored {
  config: ModelConfig;
  options: ParallelOptions;
  place: Mesh;
  world: World;
  data: Group;
  /** Most floats of a message. */
  message: number;
  local: LocalWeights;
  weights: Float32Array;
  /** Of the own parts, bucket by bucket. */
  moments: Record<'first' | 'second', Float32Array>;
  own: readonly { edges: readonly number[]; from: number; to: number; start: number }[];
}

/**
 * A whole tensor on rank 0 of the world, null on the others; all ranks call it in the same order. What data ranks share is
 * gathered among them, then each part travels to rank 0.
 */
export function collectTensor(name: string, kind: Kind, stored: Stored): Float32Array | null {
  const { config, options, place, world, message } = stored;
  const { mesh } = options;
  const spec = weightsOf(config).find((w) => w.name === name);
  if (!spec) throw new Error(`the model has no tensor ${name}`);
  const stage = chunkOfWeight(name, config, options, false) % mesh.pipeline;
  const mine = place.pipeline === stage ? localTensor(name, kind, stored) : null;
  const whole = world.rank === 0 ? new Float32Array(sizeOf(spec.shape)) : null;
  for (let tensor = 0; tensor < mesh.tensor; tensor++) {
    const part = partOf(spec, config, tensor, mesh.tensor);
    if (part.holders[0] !== tensor) continue;
    const holder = rankAt({ tensor, data: 0, pipeline: stage }, mesh);
    if (holder === 0) {
      if (whole) copyPart(whole, mine!, spec.shape, part, 'whole');
    } else if (world.rank === holder) {
      for (let at = 0; at < mine!.length; at += message) world.send(mine!.subarray(at, at + message), 0);
    } else if (whole) {
      const piece = new Float32Array(sizeOf(partShape(spec.shape, part)));
      for (let at = 0; at < piece.length; at += message) world.receive(piece.subarray(at, at + message), holder);
      copyPart(whole, piece, spec.shape, part, 'whole');
    }
  }
  return whole;
}

/** This rank's part of a tensor, whole even where data ranks share its moments. */
function localTensor(name: string, kind: Kind, { local, weights, moments, own, data, options }: Stored): Float32Array {
  const weight = find(local, name);
  if (kind === 'weight') return weights.subarray(weight.from, weight.from + weight.size);
  const number = bucketOf(local, weight);
  const bucket = local.buckets[number]!;
  const { edges, from, to, start } = own[number]!;
  const all = new Float32Array(bucket.to - bucket.from);
  all.set(moments[kind].subarray(start, start + to - from), from);
  // Also where one rank has all of a small bucket: every rank must call.
  if (options.zero > 0) data.allGather(all, edges);
  return all.subarray(weight.from - bucket.from, weight.from - bucket.from + weight.size);
}

/** Takes this rank's part out of a whole tensor, where it has any; frozen weights have no moments. */
export function placeTensor(name: string, kind: Kind, whole: Float32Array, stored: Stored): void {
  const { local, weights, moments, own } = stored;
  const weight = local.weights.find(({ spec }) => spec.name === name);
  if (!weight || (kind !== 'weight' && weight.spec.frozen)) return;
  if (kind === 'weight') {
    copyPart(whole, weights.subarray(weight.from, weight.from + weight.size), weight.spec.shape, weight.part, 'piece');
    return;
  }
  const piece = new Float32Array(weight.size);
  copyPart(whole, piece, weight.spec.shape, weight.part, 'piece');
  const number = bucketOf(local, weight);
  const { from, to, start } = own[number]!;
  const at = weight.from - local.buckets[number]!.from;
  const begin = Math.max(from, at);
  const end = Math.min(to, at + weight.size);
  if (end > begin) moments[kind].set(piece.subarray(begin - at, end - at), start + begin - from);
}

function find(local: LocalWeights, name: string): LocalWeight {
  const weight = local.weights.find(({ spec }) => spec.name === name);
  if (!weight) throw new Error(`this rank has no tensor ${name}`);
  return weight;
}

const bucketOf = (local: LocalWeights, weight: LocalWeight): number =>
  local.buckets.findIndex((b) => !b.second && b.weights.includes(weight));
