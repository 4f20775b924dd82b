import { packRows } from '../chat/pack.ts';
import type { Fill, Learner } from '../parallel/learner.ts';

/** A text as a model reads it: it attends to nothing outside. */
export interface Piece {
  tokens: readonly number[];
  /** As long: the token that follows where its probability is asked for (any number from 0 for a score), else −1. */
  targets: readonly number[];
}

/** Rows of a micro-batch, their length, and the data ranks that share micro-batches. */
export interface PieceShape {
  rows: number;
  sequence: number;
  data: number;
  /** Fills what is left of a row. */
  padding: number;
}

/** Pieces laid into micro-batches. */
export interface Laid {
  pieces: readonly Piece[];
  slots: number;
  /** Writes a micro-batch; `scale` says by what each value is multiplied: for piece p, its place i. */
  fill(scale?: (piece: number, place: number) => number): Fill;
  /** Where each piece begins. */
  at: readonly { slot: number; from: number }[];
}

/**
 * Lays pieces (of at most `sequence` tokens) into as few rows as best-fit decreasing finds, whatever they belong to: what a pair
 * or a group gives in common is worked out from the values of all. The count of micro-batches is even, so that one rank and two add
 * alike, and a multiple of the data ranks.
 */
export function layPieces(pieces: readonly Piece[], { rows, sequence, data, padding }: PieceShape): Laid {
  const plan = packRows(
    pieces.map((p) => p.tokens.length),
    sequence,
  );
  const step = data % 2 === 0 ? data : 2 * data;
  const slots = step * Math.ceil(plan.length / rows / step);
  const at: { slot: number; from: number }[] = [];
  plan.forEach((members, row) => {
    let from = (row % rows) * sequence;
    for (const p of members) {
      at[p] = { slot: Math.floor(row / rows), from };
      from += pieces[p]!.tokens.length;
    }
  });
  const fill =
    (scale?: (piece: number, place: number) => number): Fill =>
    (slot, into) => {
      into.tokens.fill(padding);
      into.targets.fill(-1);
      for (let row = 0; row < rows; row++) {
        let place = row * sequence;
        const members = plan[slot * rows + row] ?? [];
        members.forEach((p, document) => {
          const { tokens, targets } = pieces[p]!;
          for (let i = 0; i < tokens.length; i++, place++) {
            into.tokens[place] = tokens[i]!;
            into.targets[place] = targets[i]!;
            into.documents![place] = document;
            if (scale && targets[i]! >= 0) into.scales[place] = scale(p, i);
          }
        });
        into.documents!.fill(members.length, place, (row + 1) * sequence);
      }
    };
  return { pieces, slots, fill, at };
}

/** Tokens whose probability (or score) is asked for. */
export const askedOf = ({ targets }: Piece): number => targets.reduce((n, t) => (t < 0 ? n : n + 1), 0);

/** Σ of what the model says at the asked places of each piece, on every rank: −ln p of an answer, or a score. */
export function sumsOf(learner: Learner, laid: Laid): Float64Array {
  const sums = new Float64Array(laid.pieces.length);
  eachPiece(learner, laid, (p, values, from) => {
    const { targets } = laid.pieces[p]!;
    for (let i = 0; i < targets.length; i++) if (targets[i]! >= 0) sums[p]! += values[from + i]!;
  });
  return learner.sum(sums);
}

/** The same place by place, one list a piece, as long as its tokens; 0 where nothing is asked. */
export function placesOf(learner: Learner, laid: Laid): Float64Array[] {
  const starts = laid.pieces.map(() => 0);
  let size = 0;
  laid.pieces.forEach(({ tokens }, p) => {
    starts[p] = size;
    size += tokens.length;
  });
  const all = new Float64Array(size);
  eachPiece(learner, laid, (p, values, from) => {
    const { targets } = laid.pieces[p]!;
    for (let i = 0; i < targets.length; i++) if (targets[i]! >= 0) all[starts[p]! + i] = values[from + i]!;
  });
  const summed = learner.sum(all);
  return laid.pieces.map(({ tokens }, p) => summed.subarray(starts[p], starts[p]! + tokens.length));
}

function eachPiece(
  learner: Learner,
  laid: Laid,
  each: (piece: number, values: ArrayLike<number>, from: number) => void,
): void {
  const { pieces, slots, at } = laid;
  const inSlot = Array.from({ length: slots }, (): number[] => []);
  for (let p = 0; p < pieces.length; p++) inSlot[at[p]!.slot]!.push(p);
  learner.values(slots, laid.fill(), (slot, values) => {
    for (const p of inSlot[slot]!) each(p, values, at[p]!.from);
  });
}

/** Pieces laid in runs of so many, for measurements over more of them than one plan should hold. */
export function sumsOfMany(learner: Learner, pieces: readonly Piece[], shape: PieceShape, run = 512): Float64Array {
  const sums = new Float64Array(pieces.length);
  for (let from = 0; from < pieces.length; from += run)
    sums.set(sumsOf(learner, layPieces(pieces.slice(from, from + run), shape)), from);
  return sums;
}
