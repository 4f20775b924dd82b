import { permutation } from '../loader/permutation.ts';

/** The items of each step: all of them, epoch after epoch, each epoch in an order of its own. Steps are counted from 1. */
export function itemStream(items: readonly number[], batch: number, seed: number): (step: number) => number[] {
  const orders = new Map<number, (position: number) => number>();
  const order = (epoch: number) => {
    if (!orders.has(epoch)) orders.set(epoch, permutation(items.length, seed, epoch));
    return orders.get(epoch)!;
  };
  return (step) =>
    Array.from({ length: batch }, (_, i) => {
      const k = (step - 1) * batch + i;
      return items[order(Math.floor(k / items.length))(k % items.length)]!;
    });
}
