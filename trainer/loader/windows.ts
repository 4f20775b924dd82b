import { GarnerError } from '../../core/errors.ts';
import type { Shards } from '../../tokenizer/shards/reader.ts';
import { permutation } from './permutation.ts';
import type { Batch, Samples } from './samples.ts';

/** The tokens of a split, one after another; documents that the mix repeats stand in it several times. */
export type TokenStream = Pick<Shards, 'tokens' | 'read'>;

export interface WindowOptions {
  /** Tokens of a row. */
  sequence: number;
  /** The token after each document. */
  endOfText: number;
  /** Whether rows carry document numbers; then the first token of the next document is nobody's target. */
  documentMask: boolean;
}

/** Windows of T + 1 tokens with stride T over a stream of N tokens: ⌊(N − 1) / T⌋; the rest is left out. */
export const windowCount = (tokens: number, sequence: number): number =>
  Math.max(0, Math.floor((tokens - 1) / sequence));

/**
 * Pretraining samples: concatenate and chop, each epoch in an order of its own, keyed by (seed, epoch).
 * Throws a GarnerError when the stream does not fill one window.
 */
export function shuffledWindows(stream: TokenStream, options: WindowOptions & { seed: number }): Samples {
  const inOrder = orderedWindows(stream, options);
  const { count } = inOrder;
  if (count === 0)
    throw new GarnerError({
      what: `the train split has ${stream.tokens} tokens, one row needs ${options.sequence + 1}`,
      hint:
        stream.tokens === 0
          ? 'no document was selected: mix.where (or --where) fits none of those that were kept'
          : 'give the recipe more text, or a smaller pretrain.sequence',
      fault: 2,
    });
  let epoch = -1;
  let order: (position: number) => number = (x) => x;
  return {
    count,
    fill(k, batch, row) {
      const of = Math.floor(k / count);
      if (of !== epoch) [epoch, order] = [of, permutation(count, options.seed, of)];
      inOrder.fill(order(k % count), batch, row);
    },
  };
}

/** The windows in the order of the stream, once: validation. `count` may be 0. */
export function orderedWindows(stream: TokenStream, options: WindowOptions): Samples {
  const { sequence, endOfText, documentMask } = options;
  return {
    count: windowCount(stream.tokens, sequence),
    fill(k, batch, row) {
      writeRow(stream.read(k * sequence, sequence + 1), batch, row, documentMask ? endOfText : -1);
    },
  };
}

/** A window of T + 1 tokens as inputs [0, T), targets [1, T] and document numbers; `endOfText` −1 for one document. */
function writeRow(window: ArrayLike<number>, batch: Batch, row: number, endOfText: number): void {
  const start = row * batch.sequence;
  let document = 0;
  for (let t = 0; t < batch.sequence; t++) {
    const token = window[t]!;
    const ends = token === endOfText;
    batch.tokens[start + t] = token;
    batch.targets[start + t] = ends ? -1 : window[t + 1]!;
    if (batch.documents) batch.documents[start + t] = document;
    if (ends) document++;
  }
}
