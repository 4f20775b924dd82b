import { permutation } from '../loader/permutation.ts';
import { seedOf } from './rollouts.ts';

/** The items of a step in the order of its updates: `epochs` passes in seeded orders, each in `parts` of about the same size. */
export function partsOf<T>(
  items: readonly T[],
  { epochs, parts, seed }: { epochs: number; parts: number; seed: number },
  step: number,
): T[][] {
  return Array.from({ length: epochs }, (_, epoch) => {
    if (parts === 1 || items.length === 0) return Array.from({ length: parts }, () => [...items]);
    const order = permutation(items.length, seedOf(seed, 4, step), epoch);
    const edge = (part: number) => Math.round((items.length * part) / parts);
    return Array.from({ length: parts }, (__, part) =>
      Array.from({ length: edge(part + 1) - edge(part) }, (___, i) => items[order(edge(part) + i)]!),
    );
  }).flat();
}
