import { add } from '../ops/add/op.ts';
import { useOp, type Tape, type Tensor } from '../ops/define.ts';
import { linear } from '../ops/linear/op.ts';
import { scale } from '../ops/scale/op.ts';
import { record } from '../program/record.ts';
import { adapterOf, scaleOf, type Lora } from './lora.ts';

/**
 * Rewrites a recorded model so that products with chosen weights have an adapter beside them; `weight` gives the adapter's
 * matrices by name. The model knows nothing of it. Returns the new tape and the tensor that stands for `result`.
 */
export function adaptTape(
  tape: Tape,
  result: Tensor,
  lora: Lora,
  weight: (name: string) => Tensor,
): { tape: Tape; result: Tensor } {
  const held = new Map<Tensor, Tensor>();
  const find = (tensor: Tensor) => held.get(tensor) ?? tensor;
  return record(() => {
    for (const { op, tensors, outputs: names, attributes } of tape.steps) {
      const inputs = Object.fromEntries(op.inputs.map((name) => [name, find(tensors[name]!)]));
      const outputs = useOp(op, inputs, attributes);
      const adapter = op.name === 'linear' ? adapterOf(inputs['w']!.name, lora) : null;
      if (adapter) {
        const u = linear({ x: inputs['x']!, w: weight(adapter.a) }).y;
        const v = linear({ x: scale({ x: u }, { factor: scaleOf(lora) }).y, w: weight(adapter.b) }).y;
        outputs['y'] = add({ a: outputs['y']!, b: v }).y;
      }
      for (const name of names) held.set(tensors[name]!, outputs[name]!);
    }
    return find(result);
  });
}
