import type { BoundCall, Engine } from '../engines/engine.ts';
import { sizeOf, type Numbers, type Tensor, type Zone } from '../ops/define.ts';
import { storageOf, type Plan, type Program } from './plan.ts';

/** Memory of a zone. */
export interface Region {
  buffer: ArrayBufferLike;
  byteOffset: number;
}

export interface Arena {
  regions: Record<Zone, Region>;
  /** Where the tensors of the fixed zones lie, in bytes from the start of their zone. */
  fixed: Map<Tensor, number>;
}

/** A tensor's memory. */
export function viewOf(tensor: Tensor, arena: Arena, plan: Plan): Numbers {
  const base = storageOf(tensor);
  const at = arena.fixed.get(base) ?? plan.place.get(base);
  if (at === undefined) throw new Error(`${tensor.name} has no place`);
  const { buffer, byteOffset } = arena.regions[base.zone];
  const length = sizeOf(tensor.shape);
  if (tensor.type === 'i32') return new Int32Array(buffer, byteOffset + at, length);
  if (tensor.type === 'f64' || plan.floatBytes === 8) return new Float64Array(buffer, byteOffset + at, length);
  return new Float32Array(buffer, byteOffset + at, length);
}

/** Ties a planned program to memory and an engine. The function it returns is one replay: no shape is looked at again. */
export function bind(program: Program, plan: Plan, arena: Arena, engine: Engine): () => void {
  const calls: BoundCall[] = program.calls.map(({ kernel, tensors, adds, numbers }) => ({
    kernel,
    views: tensors.map((tensor) => viewOf(tensor, arena, plan)),
    adds,
    numbers,
  }));
  return engine.bind(calls);
}
