import type { Numbers } from '../define.ts';

const PANEL = 64;

/** y[i, o] = Σ_k x[i, k] · w[⌊o/64⌋, k, o mod 64] */
export function forward(
  { y, x, w }: Record<'y' | 'x' | 'w', Numbers>,
  { rows, out, in: width }: Record<'rows' | 'out' | 'in', number>,
): void {
  for (let i = 0; i < rows; i++)
    for (let o = 0; o < out; o++) {
      const panel = Math.floor(o / PANEL) * PANEL * width + (o % PANEL);
      let sum = 0;
      for (let k = 0; k < width; k++) sum += x[i * width + k]! * w[panel + k * PANEL]!;
      y[i * out + o] = sum;
    }
}
