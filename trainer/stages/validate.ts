import { openBatch, type Batch, type Samples } from '../loader/samples.ts';
import type { Learner } from '../parallel/learner.ts';

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

/**
 * Loss on all samples of a validation, over all data ranks. Where bytes are counted, special tokens are nobody's target, so
 * that both sums are over the same targets. Null without targets.
 */
export function measure(
  validation: Validation,
  learner: Learner,
  plan: { sequence: number; microBatch: number },
): Measured | null {
  const { samples, bytesOf } = validation;
  const { microBatch, sequence } = plan;
  const fill = (slot: number, into: Batch): number => {
    const first = slot * microBatch;
    for (let i = 0; i < microBatch; i++) {
      if (first + i < samples.count) samples.fill(first + i, into, i);
      else into.targets.fill(-1, i * sequence, (i + 1) * sequence);
    }
    return bytesOf ? leaveOutSpecial(into.targets, bytesOf) : 0;
  };
  const slots = Math.ceil(samples.count / microBatch);
  const { lossSum, tokens } = learner.evaluate(slots, fill);
  if (tokens === 0) return null;
  if (!bytesOf) return { loss: lossSum / tokens, bitsPerByte: null };
  // A rank of a mesh sees some slots only, so each counts the bytes of all by itself.
  const batch = openBatch(microBatch, sequence, validation.documentMask);
  let bytes = 0;
  for (let slot = 0; slot < slots; slot++) bytes += fill(slot, batch);
  return { loss: lossSum / tokens, bitsPerByte: bytes > 0 ? lossSum / (Math.LN2 * bytes) : null };
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
