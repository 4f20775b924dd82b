import { GarnerError } from '../../core/errors.ts';
import { permutation } from '../loader/permutation.ts';
import type { Batch, Samples } from '../loader/samples.ts';
import type { RenderedChat } from './template.ts';

/** Which items share a row; indices into the list that was packed. */
export type PackPlan = number[][];

/**
 * Best-fit decreasing: items of `lengths` (1 … room each) into rows of `room`; each item goes, longest first, into the fullest
 * row that still takes it (best-fit decreasing). Equal lengths stay in their order; rows in the order in which they were opened.
 */
export function packRows(lengths: readonly number[], room: number): PackPlan {
  const order = lengths.map((_, i) => i).sort((a, b) => lengths[b]! - lengths[a]! || a - b);
  const rows: PackPlan = [];
  // Open rows by what is left in them, the oldest first.
  const open: number[][] = Array.from({ length: room + 1 }, () => []);
  for (const item of order) {
    const length = lengths[item]!;
    if (!(length >= 1 && length <= room)) throw new RangeError(`item ${item} of ${length} in rows of ${room}`);
    let left = length;
    while (left <= room && open[left]!.length === 0) left++;
    const row = left <= room ? open[left]!.shift()! : rows.push([]) - 1;
    rows[row]!.push(item);
    open[(left <= room ? left : room) - length]!.push(row);
  }
  return rows;
}

export interface PackOptions {
  /** Length of a row [tokens]. */
  sequence: number;
  /** Fills what is left of a row; no target, in a document of its own. */
  padding: number;
  /** Seed of the order; null for the order of the plan (validation). */
  seed: number | null;
}

export interface PackedChats extends Samples {
  /** Conversations cut to the length of a row. */
  cut: number;
  /** Conversations whose answer lay behind the cut: left out. */
  unanswered: number;
  /** Positions of the rows that hold a conversation [share]. */
  used: number;
}

/**
 * Rows of whole conversations, several in one, each a document of its own. A conversation of n ids takes n − 1 positions:
 * inputs [0, n − 1), targets [1, n) where they are learned and −1 elsewhere; a longer one than the row is cut.
 * Throws a GarnerError when nothing is left to learn (unless the order is the plan's).
 */
export function packedChats(chats: readonly RenderedChat[], options: PackOptions): PackedChats {
  const { sequence, seed } = options;
  const cut = chats.filter((c) => c.ids.length > sequence + 1).length;
  const fitting = chats
    .map((c) => ({ ids: c.ids.slice(0, sequence + 1), learned: c.learned.slice(0, sequence + 1) }))
    .filter((c) => c.learned.includes(true, 1));
  const lengths = fitting.map((c) => c.ids.length - 1);
  const plan = packRows(lengths, sequence);
  if (plan.length === 0 && seed !== null)
    throw new GarnerError({
      what: `no conversation has an answer within ${sequence} tokens`,
      hint: 'give other data, or a larger finetune.sequence',
      fault: 2,
    });
  let epoch = -1;
  let order: (position: number) => number = (x) => x;
  return {
    count: plan.length,
    cut,
    unanswered: chats.length - fitting.length,
    used: lengths.reduce((a, b) => a + b, 0) / Math.max(1, plan.length * sequence),
    fill(k, batch, row) {
      const of = Math.floor(k / plan.length);
      if (seed !== null && of !== epoch) [epoch, order] = [of, permutation(plan.length, seed, of)];
      writeRow(
        plan[order(k % plan.length)]!.map((i) => fitting[i]!),
        batch,
        row,
        options.padding,
      );
    },
  };
}

function writeRow(chats: readonly RenderedChat[], batch: Batch, row: number, padding: number): void {
  const start = row * batch.sequence;
  let at = start;
  chats.forEach(({ ids, learned }, document) => {
    for (let i = 0; i + 1 < ids.length; i++, at++) {
      batch.tokens[at] = ids[i]!;
      batch.targets[at] = learned[i + 1] ? ids[i + 1]! : -1;
      if (batch.documents) batch.documents[at] = document;
    }
  });
  const end = start + batch.sequence;
  batch.tokens.fill(padding, at, end);
  batch.targets.fill(-1, at, end);
  batch.documents?.fill(chats.length, at, end);
}
