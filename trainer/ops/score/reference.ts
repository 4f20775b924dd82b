import type { Numbers } from '../define.ts';

/** v = s y; 0 where the target is −1. */
export function forward(
  { loss, y, targets, scales }: Record<'loss' | 'y' | 'targets' | 'scales', Numbers>,
  { rows }: Record<'rows', number>,
): void {
  for (let i = 0; i < rows; i++) loss[i] = targets[i]! < 0 ? 0 : scales[i]! * y[i]!;
}

/** dy = s for an upstream gradient of 1; 0 where the target is −1 and outside from … to − 1. */
export function backward(
  { dy, targets, scales }: Record<'dy' | 'targets' | 'scales', Numbers>,
  { rows, from, to }: Record<'rows' | 'from' | 'to', number>,
): void {
  for (let i = 0; i < rows; i++) dy[i] = targets[i]! < 0 || i < from || i >= to ? 0 : scales[i]!;
}
