import { access, outputsOf, type Call, type Step, type Tape, type Tensor } from '../ops/define.ts';

/**
 * Activation recomputation (Chen et al. 2016, arXiv:1604.06174): the function it returns gives, for a call of the backward
 * half, that call on tensors made again, after the forward calls that make them. What is made once serves all later calls.
 * The planner then lets the first ones go right after the forward half; the bits are the same.
 */
export function remake(tape: Tape, chosen: (step: Step) => boolean): (call: Call) => Call[] {
  const makers = new Map<Tensor, Step>();
  for (const step of tape.steps)
    if (chosen(step)) for (const name of step.outputs) makers.set(step.tensors[name]!, step);
  const made = new Map<Tensor, Tensor>();

  const make = (step: Step, into: Call[]): void => {
    const inputs: Record<string, Tensor> = {};
    for (const name of step.op.inputs) inputs[name] = current(step.tensors[name]!, into);
    const outputs = outputsOf(step.op, inputs, step.attributes);
    for (const name of step.outputs) made.set(step.tensors[name]!, outputs[name]!);
    into.push(...step.op.forward({ ...inputs, ...outputs }, step.attributes));
  };
  const current = (tensor: Tensor, into: Call[]): Tensor => {
    const maker = makers.get(tensor);
    if (!maker) return tensor;
    if (!made.has(tensor)) make(maker, into);
    return made.get(tensor)!;
  };
  return (call) => {
    const before: Call[] = [];
    const tensors = call.tensors.map((tensor, i) => (access(call, i).reads ? current(tensor, before) : tensor));
    return [...before, { ...call, tensors }];
  };
}
