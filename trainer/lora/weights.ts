import type { WeightSpec } from '../model/weights.ts';
import { adapterOf, rowsOf, type Lora } from './lora.ts';

/** The weights of a model with adapters: those of the model, frozen, then what is trained, layer by layer. */
export function withAdapters(base: readonly WeightSpec[], lora: Lora): WeightSpec[] {
  const trained = base.flatMap(({ name, shape }): WeightSpec[] => {
    const [out, width] = shape as [number, number];
    const adapter = adapterOf(name, lora);
    const rows = rowsOf(name, lora);
    if (rows) return [{ name: rows, shape: [lora.rows.length, width], decay: true, start: 'table' }];
    if (!adapter) return [];
    return [
      { name: adapter.a, shape: [lora.rank, width], decay: true, start: 'uniform' },
      { name: adapter.b, shape: [out, lora.rank], decay: true, start: 'zero' },
    ];
  });
  return [...base.map((spec): WeightSpec => ({ ...spec, frozen: true })), ...trained];
}
