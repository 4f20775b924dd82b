import type { Numbers } from '../define.ts';

type Sizes = Record<'rows' | 'vocabulary', number>;

/** loss = s (lse − z_y), lse = max + ln Σ exp(z − max); 0 where the target is −1. */
export function forward(
  { loss, lse, logits, targets, scales }: Record<'loss' | 'lse' | 'logits' | 'targets' | 'scales', Numbers>,
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
    loss[i] = scales[i]! * (most + Math.log(total) - logits[i * vocabulary + targets[i]!]!);
  }
}

/** dz_k = s (p_k − [k = y − first]) for an upstream gradient of 1; 0 where the target is −1. */
export function backward(
  { dlogits, logits, lse, targets, scales }: Record<'dlogits' | 'logits' | 'lse' | 'targets' | 'scales', Numbers>,
  { rows, vocabulary, first }: Sizes & { first: number },
): void {
  for (let i = 0; i < rows; i++)
    for (let k = 0; k < vocabulary; k++) {
      const at = i * vocabulary + k;
      const target = targets[i]!;
      dlogits[at] = target < 0 ? 0 : scales[i]! * (Math.exp(logits[at]! - lse[i]!) - (k === target - first ? 1 : 0));
    }
}

/** (greatest logit, Σ exp(z − greatest), logit of the target or 0) of each row of a part. */
export function part(
  { sums, logits, targets }: Record<'sums' | 'logits' | 'targets', Numbers>,
  { rows, vocabulary, first }: Sizes & { first: number },
): void {
  for (let i = 0; i < rows; i++) {
    const row = Array.from(logits.subarray(i * vocabulary, (i + 1) * vocabulary));
    const most = row.reduce((a, b) => Math.max(a, b), -Infinity);
    sums[3 * i] = most;
    sums[3 * i + 1] = row.reduce((sum, z) => sum + Math.exp(z - most), 0);
    sums[3 * i + 2] = targets[i]! < 0 ? 0 : (row[targets[i]! - first] ?? 0);
  }
}

/** lse = M + ln Σ_p s_p exp(m_p − M) over the parts, loss = scale · (lse − Σ_p z_p); 0 where the target is −1. */
export function join(
  { loss, lse, sums, targets, scales }: Record<'loss' | 'lse' | 'sums' | 'targets' | 'scales', Numbers>,
  { rows, parts }: Record<'rows' | 'parts', number>,
): void {
  for (let i = 0; i < rows; i++) {
    loss[i] = 0;
    lse[i] = 0;
    if (targets[i]! < 0) continue;
    let most = -Infinity;
    for (let p = 0; p < parts; p++) most = Math.max(most, sums[3 * (p * rows + i)]!);
    let total = 0;
    let target = 0;
    for (let p = 0; p < parts; p++) {
      const at = 3 * (p * rows + i);
      total += sums[at + 1]! * Math.exp(sums[at]! - most);
      target += sums[at + 2]!;
    }
    lse[i] = most + Math.log(total);
    loss[i] = scales[i]! * (most + Math.log(total) - target);
  }
}
