import { permutation } from '../loader/permutation.ts';
import { dealPrompts } from './pairs.ts';

/** A part of a run that begins with the first weights: what it learns from, and what it is measured on. */
export interface Course {
  train: number[];
  held: number[];
}

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

/**
 * With folds: one course for each, which holds it out, then one on all items, whose model stays. Without: one course that holds a
 * share of the prompts out.
 */
export function coursesOf(
  items: readonly { source: string; prompt: string }[],
  { folds, share, seed }: { folds: number; share: number; seed: number },
): Course[] {
  const all = items.map((_, i) => i);
  const without = (held: (part: number) => boolean, parts: number): Course => {
    const dealt = dealPrompts(items, parts, seed);
    return { train: all.filter((i) => !held(dealt[i]!)), held: all.filter((i) => held(dealt[i]!)) };
  };
  if (folds > 1)
    return [
      ...Array.from({ length: folds }, (_, fold) => without((part) => part === fold, folds)),
      { train: all, held: [] },
    ];
  if (share === 0) return [{ train: all, held: [] }];
  const parts = Math.max(2, Math.round(1 / share));
  return [without((part) => part === 0, parts)];
}
