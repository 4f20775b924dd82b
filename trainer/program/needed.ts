import { access, type Call, type Tensor } from '../ops/define.ts';
import { storageOf } from './plan.ts';

/**
 * The calls that somebody sees: those that write what stays (any zone but that of activations) or what a later call that is
 * needed reads, and those that run outside the engine. A frozen weight's gradient is read by nobody, and so is all that leads
 * to it alone.
 */
export function neededCalls(calls: readonly Call[]): Call[] {
  const read = new Set<Tensor>();
  const needed: Call[] = [];
  for (const call of calls.toReversed()) {
    const seen = call.tensors.some((tensor, i) => {
      const place = storageOf(tensor);
      return access(call, i).writes && (place.zone !== 'activations' || read.has(place));
    });
    if (!seen && !call.kernel.host) continue;
    needed.push(call);
    call.tensors.forEach((tensor, i) => {
      if (access(call, i).reads) read.add(storageOf(tensor));
    });
  }
  return needed.reverse();
}
