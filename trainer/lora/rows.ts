import type { LocalWeights } from '../parallel/local.ts';
import { rowsOf, type Lora } from './lora.ts';

export interface KeptRows {
  /** The rows of tables become the trained ones. */
  take(): void;
  /** Trained rows have changed: they stand in their table, where lookups and the head find them. */
  spread(): void;
  /** A weight has come from elsewhere: of a table and its trained rows, the other one follows. */
  placed(name: string): void;
}

/** Keeps trained rows and their tables alike. `weights`: all weights of this rank. */
export function keepRows(lora: Lora | undefined, local: LocalWeights, weights: Float32Array): KeptRows {
  const pairs: { row: Float32Array; table: Float32Array }[] = [];
  for (const { spec, from } of local.weights) {
    const name = rowsOf(spec.name, lora);
    const trained = local.weights.find((w) => w.spec.name === name);
    if (!lora || !trained) continue;
    const width = spec.shape[1]!;
    const at = (start: number, row: number) => weights.subarray(start + row * width, start + (row + 1) * width);
    lora.rows.forEach((id, i) => pairs.push({ row: at(trained.from, i), table: at(from, id) }));
  }
  const take = () => pairs.forEach(({ row, table }) => row.set(table));
  const spread = () => pairs.forEach(({ row, table }) => table.set(row));
  return { take, spread, placed: (name) => (rowsOf(name, lora) === null ? spread() : take()) };
}
