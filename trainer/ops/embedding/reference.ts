import type { Numbers } from '../define.ts';

type Sizes = Record<'rows' | 'width' | 'vocabulary' | 'first', number>;

/** y_t = E[id_t − first], 0 where there is no such row. */
export function forward({ y, table, ids }: Record<'y' | 'table' | 'ids', Numbers>, sizes: Sizes): void {
  const { rows, width } = sizes;
  for (let i = 0; i < rows; i++) {
    const row = rowOf(ids[i]!, sizes);
    for (let k = 0; k < width; k++) y[i * width + k] = row === null ? 0 : table[row * width + k]!;
  }
}

/** dE[id_t − first] += dy_t. */
export function backward({ dtable, dy, ids }: Record<'dtable' | 'dy' | 'ids', Numbers>, sizes: Sizes): void {
  const { rows, width } = sizes;
  for (let i = 0; i < rows; i++) {
    const row = rowOf(ids[i]!, sizes);
    if (row !== null) for (let k = 0; k < width; k++) dtable[row * width + k]! += dy[i * width + k]!;
  }
}

const rowOf = (id: number, { first, vocabulary }: Sizes): number | null =>
  id >= first && id < first + vocabulary ? id - first : null;
