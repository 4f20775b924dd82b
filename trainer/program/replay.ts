import { GarnerError } from '../../core/errors.ts';
import type { BoundCall, Engine } from '../engines/engine.ts';
import { sizeOf, type Numbers, type Tensor, type Zone } from '../ops/define.ts';
import { offsetOf, storageOf, type Plan, type Program } from './plan.ts';

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

const ALIGNMENT = 64;
const ZONES = ['weights', 'gradients', 'optimizer', 'inputs', 'activations'] as const;

/**
 * One allocation with the zones side by side.
 * Throws a GarnerError that says what needs the memory where the machine has not that much.
 */
export function reserveArena(
  memory: { allocate(bytes: number): Region },
  bytes: Record<Zone, number>,
  fixed: Map<Tensor, number>,
): Arena {
  const offsets = {} as Record<Zone, number>;
  let end = 0;
  for (const zone of ZONES) {
    offsets[zone] = end;
    end += Math.ceil(bytes[zone] / ALIGNMENT) * ALIGNMENT;
  }
  const { buffer, byteOffset } = allocate(memory, end, bytes);
  const regions = Object.fromEntries(
    ZONES.map((zone) => [zone, { buffer, byteOffset: byteOffset + offsets[zone] }]),
  ) as Record<Zone, Region>;
  return { regions, fixed };
}

function allocate(memory: { allocate(bytes: number): Region }, total: number, bytes: Record<Zone, number>): Region {
  try {
    return memory.allocate(total);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const gigabytes = (n: number) => `${(n / 1e9).toFixed(1)} GB`;
    throw new GarnerError(
      {
        what: `${gigabytes(total)} of memory cannot be had: ${ZONES.map((z) => `${z} ${gigabytes(bytes[z])}`).join(', ')}`,
        hint: 'take fewer rows a micro-batch (and accumulate more of them), shorter rows or a smaller model',
      },
      error,
    );
  }
}

/** A tensor's memory. */
export function viewOf(tensor: Tensor, arena: Arena, plan: Plan): Numbers {
  const base = storageOf(tensor);
  const start = arena.fixed.get(base) ?? plan.place.get(base);
  if (start === undefined) throw new Error(`${tensor.name} has no place`);
  const at = start + offsetOf(tensor) * plan.floatBytes;
  const { buffer, byteOffset } = arena.regions[base.zone];
  const length = sizeOf(tensor.shape);
  if (tensor.type === 'i32') return new Int32Array(buffer, byteOffset + at, length);
  if (tensor.type === 'f64' || plan.floatBytes === 8) return new Float64Array(buffer, byteOffset + at, length);
  return new Float32Array(buffer, byteOffset + at, length);
}

/** What runs the kernels that no engine has, by their names. */
export type Hosts = Readonly<Record<string, (views: readonly Numbers[], numbers: readonly number[]) => void>>;

/**
 * Ties a planned program to memory and an engine. The function it returns is one replay: no shape is looked at again.
 * Calls of `hosts` run between the engine's lists.
 */
export function bind(program: Program, plan: Plan, arena: Arena, engine: Engine, hosts: Hosts = {}): () => void {
  const pieces: (() => void)[] = [];
  let list: BoundCall[] = [];
  const flush = () => {
    if (list.length > 0) pieces.push(engine.bind(list));
    list = [];
  };
  for (const { kernel, tensors, adds, numbers } of program.calls) {
    const views = tensors.map((tensor) => viewOf(tensor, arena, plan));
    if (!kernel.host) {
      list.push({ kernel, views, adds, numbers });
      continue;
    }
    flush();
    const host = hosts[kernel.name];
    if (!host) throw new Error(`nobody runs ${kernel.name}`);
    pieces.push(() => host(views, numbers));
  }
  flush();
  if (pieces.length === 1) return pieces[0]!;
  return () => {
    for (const piece of pieces) piece();
  };
}
