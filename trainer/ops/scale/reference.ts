import type { Numbers } from '../define.ts';

/** y = or += s x. */
export function scaled(
  { y, x }: Record<'y' | 'x', Numbers>,
  { size, factor }: Record<'size' | 'factor', number>,
): void {
  for (let i = 0; i < size; i++) y[i]! += factor * x[i]!;
}
