import type { Call, Step, Tape, Target, Tensor } from '../ops/define.ts';
import { copy } from '../ops/add/op.ts';

/**
 * The calls that follow a recorded forward pass to get its gradients, by the chain rule from the last op to the first.
 * `seeds` are tensors whose gradient is given; the loss needs none (its gradient is 1). A weight's gradient is added to
 * (`weightGradient` names where it lies), an activation's is written by its first user and added to by the others.
 * Returns the calls and the gradients that reach tensors outside `tape` (inputs of a test, say).
 */
export function differentiate(
  tape: Tape,
  options: { weightGradient: (weight: Tensor) => Tensor; seeds?: Map<Tensor, Tensor> },
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

  const into = (tensor: Tensor): Target => {
    if (tensor.type !== 'f32') throw new Error(`${tensor.name} is not differentiable`);
    if (tensor.zone === 'weights') return { tensor: options.weightGradient(tensor), add: true };
    const gradient = pending.get(tensor);
    if (gradient) return { tensor: ownCopy(tensor, gradient), add: true };
    const made = gradientOf(tensor);
    pending.set(tensor, made);
    return { tensor: made, add: false };
  };

  const pass = (tensor: Tensor, gradient: Tensor): Call[] => {
    if (tensor.zone !== 'weights' && !pending.has(tensor)) {
      pending.set(tensor, gradient);
      return [];
    }
    const target = into(tensor);
    return [copy({ y: target, x: gradient }, { size: size(gradient) })];
  };

  for (const step of tape.steps.toReversed()) {
    const reached = step.outputs.some((name) => pending.has(step.tensors[name]!));
    const isLoss = step.outputs.some((name) => step.tensors[name]!.type === 'f64');
    if (!step.op.backward || (!reached && !isLoss)) continue;
    const made = step.op.backward(step.tensors, step.attributes, {
      of: (name) => gradientGiven(step, name, pending),
      take: (name) => ownCopy(step.tensors[name]!, gradientGiven(step, name, pending)),
      into: (name) => into(step.tensors[name]!),
      pass: (name, gradient) => pass(step.tensors[name]!, gradient),
    });
    calls.push(...made);
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
