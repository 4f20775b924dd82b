import type { Numbers } from '../define.ts';

/** norm[0] = √Σ g²; the other places are working memory of the C kernel. */
export function gradientNorm(
  { norm, gradient }: Record<'norm' | 'gradient', Numbers>,
  { size }: Record<'size', number>,
): void {
  let squares = 0;
  for (let i = 0; i < size; i++) squares += gradient[i]! ** 2;
  norm[0] = Math.sqrt(squares);
}
