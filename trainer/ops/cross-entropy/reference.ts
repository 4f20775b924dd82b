import type { Numbers } from '../define.ts';

type Sizes = Record<'rows' | 'vocabulary', number>;

/** loss = lse − z_y, lse = max + ln Σ exp(z − max); 0 where the target is −1. */
export function forward(
  { loss, lse, logits, targets }: Record<'loss' | 'lse' | 'logits' | 'targets', Numbers>,
  { rows, vocabulary }: Sizes,
): void {
  for (let i = 0; i < rows; i++) {
    loss[i] = 0;
    lse[i] = 0;
    if (targets[i]! < 0) continue;
    let most = -Infinity;
    for (let k = 0; k < vocabulary; k++) most = Math.max(most, logits[i * vocabulary + k]!);
    let total = 0;
    for (let k = 0; k < vocabulary; k++) total += Math.exp(logits[i * vocabulary + k]! - most);
    lse[i] = most + Math.log(total);
    loss[i] = most + Math.log(total) - logits[i * vocabulary + targets[i]!]!;
  }
}

/** dz_k = p_k − [k = y] for an upstream gradient of 1; 0 where the target is −1. */
export function backward(
  { dlogits, logits, lse, targets }: Record<'dlogits' | 'logits' | 'lse' | 'targets', Numbers>,
  { rows, vocabulary }: Sizes,
): void {
  for (let i = 0; i < rows; i++)
    for (let k = 0; k < vocabulary; k++) {
      const at = i * vocabulary + k;
      const target = targets[i]!;
      dlogits[at] = target < 0 ? 0 : Math.exp(logits[at]! - lse[i]!) - (k === target ? 1 : 0);
    }
}
