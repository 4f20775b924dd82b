import type { Numbers } from '../define.ts';

type Sizes = Record<'rows' | 'out' | 'in', number>;

/** y = x Wᵀ. */
export function forward({ y, x, w }: Record<'y' | 'x' | 'w', Numbers>, { rows, out, in: width }: Sizes): void {
  for (let i = 0; i < rows; i++)
    for (let o = 0; o < out; o++) {
      let sum = 0;
      for (let k = 0; k < width; k++) sum += x[i * width + k]! * w[o * width + k]!;
      y[i * out + o] = sum;
    }
}

/** dx = dy W. */
export function backwardInput(
  { dx, dy, w }: Record<'dx' | 'dy' | 'w', Numbers>,
  { rows, out, in: width }: Sizes,
): void {
  const row = new Float64Array(width);
  for (let i = 0; i < rows; i++) {
    row.fill(0);
    for (let o = 0; o < out; o++) {
      const d = dy[i * out + o]!;
      for (let k = 0; k < width; k++) row[k]! += d * w[o * width + k]!;
    }
    for (let k = 0; k < width; k++) dx[i * width + k]! += row[k]!;
  }
}

/** dW = dyᵀ x. */
export function backwardWeight(
  { dw, dy, x }: Record<'dw' | 'dy' | 'x', Numbers>,
  { rows, out, in: width }: Sizes,
): void {
  const row = new Float64Array(width);
  for (let o = 0; o < out; o++) {
    row.fill(0);
    for (let i = 0; i < rows; i++) {
      const d = dy[i * out + o]!;
      for (let k = 0; k < width; k++) row[k]! += d * x[i * width + k]!;
    }
    for (let k = 0; k < width; k++) dw[o * width + k]! += row[k]!;
  }
}
