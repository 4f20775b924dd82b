import { access, type Tensor } from '../ops/define.ts';
import { bytesOf, offsetOf, storageOf, type Plan, type Program } from './plan.ts';

interface Held {
  tensor: Tensor;
  from: number;
  to: number;
}

/**
 * Walks a planned program and keeps account of which tensor's content each byte of the activations holds.
 * Throws where a call reads a tensor that was never written, or that another one has since been written over (whether by
 * a wrong plan, a wrong pass or a wrong op that works in place), where two tensors of one call overlap although one is
 * written, or where something lies outside the zone. For tests: after recording and after every pass.
 */
export function verify(program: Program, { place, activations, floatBytes }: Plan): void {
  let held: Held[] = [];
  const spanOf = (tensor: Tensor): Held => {
    const start = place.get(storageOf(tensor));
    if (start === undefined) throw new Error(`${tensor.name} has no place`);
    const from = start + offsetOf(tensor) * floatBytes;
    const to = from + bytesOf(tensor, floatBytes);
    if (to > activations) throw new Error(`${tensor.name} ends at ${to}, the zone at ${activations}`);
    return { tensor, from, to };
  };
  const overlap = (a: Held, b: Held) => a.from < b.to && b.from < a.to;
  const mustHold = (tensor: Tensor, where: string) => {
    if (!shared(tensor) || held.some((h) => h.tensor === contentOf(tensor))) return;
    const span = spanOf(tensor);
    const pieces = held.filter((h) => h.tensor.over === tensor && h.tensor.at !== undefined && !h.tensor.alias);
    if (pieces.reduce((bytes, p) => bytes + p.to - p.from, 0) === span.to - span.from) return;
    const others = held.filter((h) => overlap(h, span)).map((h) => h.tensor.name);
    throw new Error(
      `${where} reads ${tensor.name}, ${others.length > 0 ? `but ${others.join(', ')} lies there` : 'which nothing has written'}`,
    );
  };
  program.calls.forEach((call, at) => {
    const where = `call ${at} (${call.kernel.name})`;
    call.tensors.forEach((tensor, i) => {
      if (access(call, i).reads) mustHold(tensor, where);
    });
    call.tensors.forEach((tensor, i) => {
      if (!access(call, i).writes || !shared(tensor)) return;
      const span = spanOf(tensor);
      const clash = call.tensors.find(
        (other, j) =>
          j !== i && shared(other) && storageOf(other) !== storageOf(tensor) && overlap(spanOf(other), span),
      );
      if (clash) throw new Error(`${where}: ${tensor.name} lies over ${clash.name}`);
    });
    call.tensors.forEach((tensor, i) => {
      if (!access(call, i).writes || !shared(tensor)) return;
      const span = spanOf(tensor);
      held = held.filter((h) => !overlap(h, span));
      held.push(span);
    });
  });
  for (const tensor of program.keep) mustHold(tensor, 'the end');
}

const contentOf = (tensor: Tensor): Tensor => (tensor.alias ? contentOf(tensor.over!) : tensor);

const shared = (tensor: Tensor): boolean => storageOf(tensor).zone === 'activations';
