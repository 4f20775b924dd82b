import { GarnerError } from '../../core/errors.ts';
import type { Shape } from './shape.ts';

/** How GPUs share a training: GPUs = data · tensor · pipeline · context. */
export interface PlanMesh {
  /** GPUs that take parts of each batch. */
  data: number;
  /** GPUs that take parts of each matrix. */
  tensor: number;
  /** GPUs that take some of the layers. */
  pipeline: number;
  /** GPUs that take parts of each row. */
  context: number;
}

export const AXES = ['data', 'tensor', 'pipeline', 'context'] as const satisfies readonly (keyof PlanMesh)[];

export const sizeOf = (mesh: PlanMesh): number => AXES.reduce((n, axis) => n * mesh[axis], 1);

const wrong = (what: string, hint: string) => new GarnerError({ what, where: '--mesh', hint, fault: 2 });

/** Reads `data=128,tensor=8,pipeline=1,context=1`; axes that are not named are 1. Throws a GarnerError. */
export function parsePlanMesh(text: string): PlanMesh {
  const mesh: PlanMesh = { data: 1, tensor: 1, pipeline: 1, context: 1 };
  const seen = new Set<string>();
  for (const part of text.split(',')) {
    const [, axis, size] = /^(\w+)=([1-9]\d{0,6})$/.exec(part.trim()) ?? [];
    if (axis === undefined || !Object.hasOwn(mesh, axis))
      throw wrong(
        `"${part.slice(0, 40)}" is no axis and size`,
        'for example --mesh data=128,tensor=8,pipeline=1,context=1',
      );
    if (seen.has(axis)) throw wrong(`${axis} stands twice`, 'name each axis once');
    seen.add(axis);
    mesh[axis as keyof PlanMesh] = Number(size);
  }
  return mesh;
}

/** Throws a GarnerError where a mesh is not of `gpus` or cannot split the model; both sides of the equation are shown. */
export function checkMesh(mesh: PlanMesh, gpus: number, shape: Shape, sequence: number, chunks: number): void {
  if (sizeOf(mesh) !== gpus)
    throw wrong(
      `${AXES.map((axis) => `${axis} ${mesh[axis]}`).join(' × ')} = ${sizeOf(mesh)}, but --gpus is ${gpus}`,
      'the axes must multiply to the GPUs',
    );
  if (shape.heads % mesh.tensor !== 0)
    throw wrong(`${shape.heads} heads in tensor ${mesh.tensor} parts`, 'tensor must divide the heads');
  // One layer fewer on an end is usual (Llama 3: 126 layers in 16 × 8 pieces).
  if (chunks > Math.ceil(shape.layers / mesh.pipeline) || mesh.pipeline > shape.layers)
    throw wrong(
      `pipeline ${mesh.pipeline} × ${chunks} ${chunks > 1 ? 'chunks' : 'chunk'} = ${mesh.pipeline * chunks} pieces of ${shape.layers} layers`,
      'each piece needs a layer',
    );
  if (chunks > 1 && mesh.pipeline === 1)
    throw wrong(`${chunks} chunks in a pipeline of 1`, 'interleaving needs stages');
  if (sequence % mesh.context !== 0)
    throw wrong(`rows of ${sequence} tokens in context ${mesh.context} parts`, 'context must divide --sequence');
}

/** `data 128 × tensor 8`: the axes that split anything. */
export const describePlanMesh = (mesh: PlanMesh): string =>
  AXES.filter((axis) => mesh[axis] > 1)
    .map((axis) => `${axis} ${mesh[axis]}`)
    .join(' × ') || 'nothing split';

/** Layers of each stage, as even as can be; where they do not divide, the first stages hold one more: the worst case for memory. */
export const layersOfStages = (layers: number, stages: number): number[] =>
  Array.from({ length: stages }, (_, i) => Math.floor(layers / stages) + (i < layers % stages ? 1 : 0));

/**
 * Micro-batches whose activations a stage holds at once, in units of all its layers: min(m, p − i) under 1F1B; interleaved
 * with v chunks the warm-up is 2(p − i − 1) + (v − 1)p chunks, so p · (1 + (p − 1)/(p · v)) on the first stage (Narayanan et al.
 * 2021), and never more than the step has.
 */
export function inFlight(stage: number, stages: number, microBatches: number, chunks = 1): number {
  if (chunks === 1) return Math.min(microBatches, stages - stage);
  const warm = 2 * (stages - stage - 1) + (chunks - 1) * stages + 1;
  return Math.min(microBatches * chunks, warm) / chunks;
}

/** Idle time of a pipeline as a share of its work: (p − 1) / (v · m). */
export const bubble = (stages: number, microBatches: number, chunks = 1): number =>
  (stages - 1) / (chunks * microBatches);
