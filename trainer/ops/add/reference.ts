import type { Numbers } from '../define.ts';

/** y = a + b. */
export function forward({ y, a, b }: Record<'y' | 'a' | 'b', Numbers>, { size }: Record<'size', number>): void {
  for (let i = 0; i < size; i++) y[i] = a[i]! + b[i]!;
}

/** y = or += x. */
export function copied({ y, x }: Record<'y' | 'x', Numbers>, { size }: Record<'size', number>): void {
  for (let i = 0; i < size; i++) y[i]! += x[i]!;
}
