import type { Engine } from '../../../trainer/engines/engine.ts';
import { philox } from '../../../trainer/model/philox.ts';
import type { OpCase } from '../../../trainer/ops/case.ts';
import { sizeOf, type Numbers, type Tensor } from '../../../trainer/ops/define.ts';
import { differentiate } from '../../../trainer/program/differentiate.ts';
import { layOut, plan } from '../../../trainer/program/plan.ts';
import { record } from '../../../trainer/program/record.ts';
import { bind, viewOf, type Arena } from '../../../trainer/program/replay.ts';
import { verify } from '../../../trainer/program/verify.ts';

export interface OpRun {
  inputs: Record<string, Numbers>;
  outputs: Record<string, Numbers>;
  /** By input. */
  gradients: Record<string, Numbers>;
  /** Σ of the first output by its random upstream gradient, or of the losses; set the inputs before. */
  forward: () => number;
  backward: () => void;
  /** Puts the first values back (ops in place change them). */
  reset: () => void;
}

/** Normal numbers from a seed. */
export function normals(size: number, seed: number, scale = 1): Float64Array {
  const words = new Uint32Array(4);
  return Float64Array.from({ length: size }, (_, i) => {
    philox([i, 0, 0, 0], [seed, 1], words);
    const radius = Math.sqrt(-2 * Math.log((words[0]! + 0.5) * 2 ** -32));
    // rounded to float32, so that both engines start from the same numbers
    return Math.fround(scale * radius * Math.cos((2 * Math.PI * words[1]!) / 2 ** 32));
  });
}

/** Records one case alone with its backward half, and makes it runnable on an engine. floatBytes 8: a float64 arena. */
export function openCase(given: OpCase, engine: Engine, floatBytes: 4 | 8): OpRun {
  const tensors = Object.fromEntries(
    Object.entries(given.inputs).map(([name, { shape, whole }]): [string, Tensor] => [
      name,
      { name, shape, type: whole ? 'i32' : 'f32', zone: 'inputs' },
    ]),
  );
  const { tape, result } = record(() => given.call(tensors));
  const first = Object.values(result)[0]!;
  const seed: Tensor = { name: 'upstream', shape: first.shape, type: 'f32', zone: 'gradients' };
  const isLoss = first.type === 'f64';
  const learns = tape.steps.every(({ op }) => 'backward' in op);
  const { calls, gradients } = learns
    ? differentiate(tape, {
        weightGradient: () => seed,
        seeds: isLoss ? new Map() : new Map([[first, seed]]),
      })
    : { calls: [], gradients: new Map<Tensor, Tensor>() };
  const reached = [...gradients].filter(([tensor]) => tensor.zone === 'inputs' && !fixedOf(given, tensor.name));
  const program = { calls: [...tape.calls, ...calls], keep: reached.map(([, g]) => g) };
  const learn = { ...program, plan: plan(program, floatBytes) };
  verify(learn, learn.plan);

  const fixed = new Map<Tensor, number>();
  const arena: Arena = {
    fixed,
    regions: {
      inputs: engine.allocate(layOut(Object.values(tensors), floatBytes, fixed, true)),
      gradients: engine.allocate(layOut([seed], floatBytes, fixed, true)),
      activations: engine.allocate(
        learn.plan.activations + plan({ calls: tape.calls, keep: [first] }, floatBytes).activations,
      ),
      weights: engine.allocate(0),
      optimizer: engine.allocate(0),
    },
  };
  const view = (tensor: Tensor) => viewOf(tensor, arena, learn.plan);
  const inputs = Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, view(tensor)]));
  const upstream = view(seed);
  const reset = () => {
    upstream.set(normals(upstream.length, 99));
    Object.entries(given.inputs).forEach(([name, { shape, scale, whole, fixed: values }], at) => {
      const size = sizeOf(shape);
      const make = whole ?? values;
      inputs[name]!.set(make ? Float64Array.from({ length: size }, (_, i) => make(i)) : normals(size, at + 1, scale));
    });
  };
  reset();
  const forwardOnly = bind({ calls: tape.calls, keep: [] }, learn.plan, arena, engine);
  const all = bind(learn, learn.plan, arena, engine);
  const outputs = Object.fromEntries(Object.entries(result).map(([name, tensor]) => [name, view(tensor)]));
  const out = view(first);
  return {
    inputs,
    outputs,
    gradients: Object.fromEntries(reached.map(([tensor, gradient]) => [tensor.name, view(gradient)])),
    forward() {
      forwardOnly();
      let sum = 0;
      for (let i = 0; i < out.length; i++) sum += out[i]! * (isLoss ? 1 : upstream[i]!);
      return sum;
    },
    backward: all,
    reset,
  };
}

const fixedOf = (given: OpCase, name: string): boolean => given.inputs[name]!.fixed !== undefined;

/** ‖a − b‖ / ‖b‖. */
export function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Infinity;
  let difference = 0;
  let size = 0;
  for (let i = 0; i < b.length; i++) {
    difference += (a[i]! - b[i]!) ** 2;
    size += b[i]! ** 2;
  }
  return size === 0 ? Math.sqrt(difference) : Math.sqrt(difference / size);
}
