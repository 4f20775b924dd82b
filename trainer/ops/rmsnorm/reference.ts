import type { Numbers } from '../define.ts';

/** y = γ ⊙ x·r, r = (mean over C of x² + ε)^(−½). */
export function forward(
  { y, r, x, gamma }: Record<'y' | 'r' | 'x' | 'gamma', Numbers>,
  { rows, width, epsilon }: Record<'rows' | 'width' | 'epsilon', number>,
): void {
  for (let i = 0; i < rows; i++) {
    let squares = 0;
    for (let k = 0; k < width; k++) squares += x[i * width + k]! ** 2;
    const s = 1 / Math.sqrt(squares / width + epsilon);
    r[i] = s;
    for (let k = 0; k < width; k++) y[i * width + k] = gamma[k]! * x[i * width + k]! * s;
  }
}

/** With g = γ ⊙ dy and x̂ = x·r: dx = r·(g − x̂·mean(g ⊙ x̂)), dγ = Σ over rows of dy ⊙ x̂. */
export function backward(
  { dx, dgamma, dy, x, gamma, r }: Record<'dx' | 'dgamma' | 'dy' | 'x' | 'gamma' | 'r', Numbers>,
  { rows, width }: Record<'rows' | 'width', number>,
): void {
  for (let i = 0; i < rows; i++) {
    let mean = 0;
    for (let k = 0; k < width; k++) mean += gamma[k]! * dy[i * width + k]! * x[i * width + k]! * r[i]!;
    mean /= width;
    for (let k = 0; k < width; k++) {
      const d = dy[i * width + k]!;
      const normed = x[i * width + k]! * r[i]!;
      dx[i * width + k]! += r[i]! * (gamma[k]! * d - normed * mean);
      dgamma[k]! += d * normed;
    }
  }
}
