import type { Call, Step, Tape, Target, Tensor } from '../ops/define.ts';
import { remake } from './remake.ts';
import { copy } from '../ops/add/op.ts';

export interface DifferentiateOptions {
  /** Where the gradient of a weight lies, for this use of it; `add` unless it is to be written over. */
  weightGradient: (weight: Tensor, use: Step) => Tensor | Target;
  /** Tensors whose gradient is given. */
  seeds?: Map<Tensor, Tensor>;
  /** Uses whose outputs are not kept for the backward half but made again there, from what is kept. */
  recompute?: (step: Step) => boolean;
}

/**
 * The calls that follow a recorded forward pass to get its gradients, by the chain rule from the last op to the first.
 * The loss needs no seed (its gradient is 1). A weight's gradient is added to, an activation's is written by its first user
 * and added to by the others. Returns the calls and the gradients that reach tensors outside `tape` (inputs of a test, say).
 */
export function differentiate(
  tape: Tape,
  options: DifferentiateOptions,
): { calls: Call[]; gradients: Map<Tensor, Tensor> } {
  const calls: Call[] = [];
  const pending = new Map<Tensor, Tensor>(options.seeds);
  const seeds = new Set(options.seeds?.values());

  /** A gradient may stand for several tensors (both sides of a sum), or be a seed: the others keep what they had. */
  const ownCopy = (tensor: Tensor, gradient: Tensor): Tensor => {
    const shared =
      seeds.has(storage(gradient)) ||
      [...pending].some(([other, g]) => other !== tensor && storage(g) === storage(gradient));
    if (!shared) return gradient;
    const own = gradientOf(tensor);
    calls.push(copy({ y: own, x: gradient }, { size: size(own) }));
    pending.set(tensor, own);
    return own;
  };

  const into = (tensor: Tensor, step: Step): Target => {
    if (tensor.type !== 'f32') throw new Error(`${tensor.name} is not differentiable`);
    if (tensor.zone === 'weights') {
      const given = options.weightGradient(tensor, step);
      return 'tensor' in given ? given : { tensor: given, add: true };
    }
    const gradient = pending.get(tensor);
    if (gradient) return { tensor: ownCopy(tensor, gradient), add: true };
    const made = gradientOf(tensor);
    pending.set(tensor, made);
    return { tensor: made, add: false };
  };

  const pass = (tensor: Tensor, gradient: Tensor, step: Step): Call[] => {
    if (tensor.zone !== 'weights' && !pending.has(tensor)) {
      pending.set(tensor, gradient);
      return [];
    }
    const target = into(tensor, step);
    return [copy({ y: target, x: gradient }, { size: size(gradient) })];
  };

  const again = remake(tape, options.recompute ?? (() => false));
  for (const step of tape.steps.toReversed()) {
    const reached = step.outputs.some((name) => pending.has(step.tensors[name]!));
    const isLoss = step.outputs.some((name) => step.tensors[name]!.type === 'f64');
    if (!step.op.backward || (!reached && !isLoss)) continue;
    const made = step.op.backward(step.tensors, step.attributes, {
      of: (name) => gradientGiven(step, name, pending),
      take: (name) => ownCopy(step.tensors[name]!, gradientGiven(step, name, pending)),
      into: (name) => into(step.tensors[name]!, step),
      pass: (name, gradient) => pass(step.tensors[name]!, gradient, step),
    });
    for (const call of made) calls.push(...again(call));
    for (const name of step.outputs) pending.delete(step.tensors[name]!);
  }
  return { calls, gradients: pending };
}

const storage = (tensor: Tensor): Tensor => (tensor.over ? storage(tensor.over) : tensor);
const size = (tensor: Tensor): number => tensor.shape.reduce((n, d) => n * d, 1);

const gradientOf = ({ name, shape }: Tensor): Tensor => ({
  name: `${name}.gradient`,
  shape,
  type: 'f32',
  zone: 'activations',
});

function gradientGiven(step: Step, name: string, pending: Map<Tensor, Tensor>): Tensor {
  const gradient = pending.get(step.tensors[name]!);
  if (!gradient) throw new Error(`${step.op.name}: no gradient reaches ${name}`);
  return gradient;
}
