import type { Numbers } from '../define.ts';

/** The places of `hyper`. */
export const HYPER = [
  'learningRate',
  'gradientScale',
  'clip',
  'beta1',
  'beta2',
  'epsilon',
  'weightDecay',
  'correction1',
  'correction2',
] as const;

/**
 * g ← g·scale·min(1, clip/(‖g‖ + 10⁻⁶)); m = β₁m + (1−β₁)g; s = β₂s + (1−β₂)g²;
 * p ← p·(1 − η·λ) − η·(m/c₁)/(√(s/c₂) + ε), c = 1 − βᵗ. A norm that is not finite changes nothing.
 */
export function adamw(
  {
    weight,
    first,
    second,
    gradient,
    norm,
    hyper,
  }: Record<'weight' | 'first' | 'second' | 'gradient' | 'norm' | 'hyper', Numbers>,
  { size, decayed }: Record<'size' | 'decayed', number>,
): void {
  const [rate, scale, clip, beta1, beta2, epsilon, decay, correction1, correction2] = Array.from(hyper) as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const length = norm[0]! * Math.abs(scale);
  if (!Number.isFinite(length)) return;
  const by = length > clip ? (scale * clip) / (length + 1e-6) : scale;
  for (let i = 0; i < size; i++) {
    const g = gradient[i]! * by;
    const m = beta1 * first[i]! + (1 - beta1) * g;
    const s = beta2 * second[i]! + (1 - beta2) * g * g;
    first[i] = m;
    second[i] = s;
    const kept = weight[i]! * (i < decayed ? 1 - rate * decay : 1);
    weight[i] = kept - (rate * (m / correction1)) / (Math.sqrt(s / correction2) + epsilon);
  }
}
