import { adamw } from '../ops/adamw/op.ts';
import { HYPER } from '../ops/adamw/reference.ts';
import type { Call, Numbers, Tensor } from '../ops/define.ts';
import { gradientNorm, normLength } from '../ops/gradient-norm/op.ts';

/** What one update is told. */
export interface UpdateOptions {
  /** Counts from 1. */
  step: number;
  learningRate: number;
  /** Multiplies every gradient first: 1 / trained tokens makes the mean of losses out of their sum. */
  gradientScale: number;
  /** The greatest global norm; Infinity never clips. */
  clip: number;
  beta1: number;
  beta2: number;
  epsilon: number;
  weightDecay: number;
}

/** The small tensors that an update reads and writes, for `size` weights; both float64. */
export function updateTensors(size: number): Record<'hyper' | 'norm', Tensor> {
  return {
    hyper: { name: 'hyper', shape: [HYPER.length], type: 'f64', zone: 'inputs' },
    norm: { name: 'norm', shape: [normLength(size)], type: 'f64', zone: 'inputs' },
  };
}

/** Norm, clipping and AdamW over whole zones of `size` numbers, of which the first `decayed` decay. */
export function updateCalls(
  zones: Record<'weight' | 'gradient' | 'first' | 'second', Tensor>,
  { hyper, norm }: Record<'hyper' | 'norm', Tensor>,
  sizes: { size: number; decayed: number },
): Call[] {
  return [gradientNorm({ norm, gradient: zones.gradient }, sizes), adamw({ ...zones, norm, hyper }, sizes)];
}

/** Writes what the next replay is to do. The corrections for moments that began at zero are computed here, in float64. */
export function setUpdate(hyper: Numbers, options: UpdateOptions): void {
  const values = {
    ...options,
    correction1: 1 - options.beta1 ** options.step,
    correction2: 1 - options.beta2 ** options.step,
  };
  HYPER.forEach((name, i) => (hyper[i] = values[name]));
}
