import type { Numbers } from '../define.ts';

/** y_t = E[id_t]. */
export function forward(
  { y, table, ids }: Record<'y' | 'table' | 'ids', Numbers>,
  { rows, width }: Record<'rows' | 'width', number>,
): void {
  for (let i = 0; i < rows; i++) for (let k = 0; k < width; k++) y[i * width + k] = table[ids[i]! * width + k]!;
}

/** dE[id_t] += dy_t. */
export function backward(
  { dtable, dy, ids }: Record<'dtable' | 'dy' | 'ids', Numbers>,
  { rows, width }: Record<'rows' | 'width', number>,
): void {
  for (let i = 0; i < rows; i++) for (let k = 0; k < width; k++) dtable[ids[i]! * width + k]! += dy[i * width + k]!;
}
