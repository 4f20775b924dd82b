import type { Numbers } from '../define.ts';

/** level = max + ln Σ exp(z/T − max); the first allowed id whose cumulative weight exceeds u times the allowed total. */
export function draw(
  {
    picked,
    levels,
    logits,
    allowed,
    temperature,
    u,
  }: Record<'picked' | 'levels' | 'logits' | 'allowed' | 'temperature' | 'u', Numbers>,
  { rows, vocabulary }: Record<'rows' | 'vocabulary', number>,
): void {
  for (let i = 0; i < rows; i++) {
    const t = temperature[i]! > 0 ? temperature[i]! : 1;
    const z = (k: number) => logits[i * vocabulary + k]! / t;
    let most = -Infinity;
    for (let k = 0; k < vocabulary; k++) most = Math.max(most, z(k));
    let total = 0;
    let within = 0;
    let best = -1;
    for (let k = 0; k < vocabulary; k++) {
      const w = Math.exp(z(k) - most);
      total += w;
      if (!(allowed[k]! > 0)) continue;
      within += w;
      if (best < 0 || z(k) > z(best)) best = k;
    }
    levels[i] = most + Math.log(total);
    picked[i] = Math.max(0, best);
    if (!(temperature[i]! > 0)) continue;
    let left = u[i]! * within;
    for (let k = 0; k < vocabulary; k++) {
      const w = allowed[k]! > 0 ? Math.exp(z(k) - most) : 0;
      if (!(w > 1e-37)) continue;
      picked[i] = k;
      left -= w;
      if (left < 0) break;
    }
  }
}
