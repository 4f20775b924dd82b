import type { Collective } from '../collectives/collective.ts';
import { openBatch, type Samples } from '../loader/samples.ts';
import type { TrainingSession } from '../session.ts';

/** What a model is measured on. */
export interface Validation {
  samples: Samples;
  documentMask: boolean;
  /** UTF-8 bytes of each token, 0 for special ones; null where bits per byte mean nothing (fine-tuning). */
  bytesOf: Uint16Array | null;
}

export interface Measured {
  /** Mean over the measured targets [nats per token]. */
  loss: number;
  /** Σ nats / (ln 2 · Σ bytes of the targets), or null. */
  bitsPerByte: number | null;
}

interface Parts {
  session: TrainingSession;
  collective: Collective;
  plan: { sequence: number; microBatch: number };
}

/**
 * Loss on all samples of a validation, in their order; each rank takes every ranks-th micro-batch. Where bytes are counted,
 * special tokens are nobody's target, so that both sums are over the same targets. Null without targets.
 */
export function measure(validation: Validation, { session, collective, plan }: Parts): Measured | null {
  const { samples, bytesOf } = validation;
  const batch = openBatch(plan.microBatch, plan.sequence, validation.documentMask);
  const sums = [0, 0];
  let tokens = 0;
  let bytes = 0;
  const micro = Math.ceil(samples.count / plan.microBatch);
  for (let m = collective.rank; m < micro; m += collective.ranks) {
    const first = m * plan.microBatch;
    for (let i = 0; i < plan.microBatch; i++) {
      if (first + i < samples.count) samples.fill(first + i, batch, i);
      else batch.targets.fill(-1, i * plan.sequence, (i + 1) * plan.sequence);
    }
    if (bytesOf) bytes += leaveOutSpecial(batch.targets, bytesOf);
    const part = session.evaluate(batch.tokens, batch.targets, batch.documents ?? undefined);
    // One rank adds up the even and the odd ones apart, as two ranks do: then both give the same bits.
    sums[m % 2]! += part.lossSum;
    tokens += part.tokens;
  }
  const [lossSum, allTokens, allBytes] = collective.sum([sums[0]! + sums[1]!, tokens, bytes]) as [
    number,
    number,
    number,
  ];
  if (allTokens === 0) return null;
  return { loss: lossSum / allTokens, bitsPerByte: bytesOf && allBytes > 0 ? lossSum / (Math.LN2 * allBytes) : null };
}

/** Counts the bytes of the targets and takes those without any out. */
function leaveOutSpecial(targets: Int32Array, bytesOf: Uint16Array): number {
  let bytes = 0;
  for (let i = 0; i < targets.length; i++) {
    const target = targets[i]!;
    if (target < 0) continue;
    const size = bytesOf[target] ?? 0;
    if (size === 0) targets[i] = -1;
    bytes += size;
  }
  return bytes;
}
