import type { ModelConfig } from '../model/config.ts';
import { openBatchDecoder, type WeightOf } from './batch-decoder.ts';

/** Tokens of a prompt that go through the model at once. */
const CHUNK = 32;

export interface DecoderOptions {
  /** The most tokens that it can hold. */
  length: number;
  threads: number;
  engine: 'cpu' | 'reference';
}

/** A model with a cache of keys and values for one sequence. */
export interface Decoder {
  /** Forgets all tokens. */
  reset(): void;
  /** Logits [vocabulary] after these tokens; a view that the next call overwrites. Throws RangeError beyond `length`. */
  feed(tokens: readonly number[]): Float32Array;
  /** Tokens it can hold. */
  length: number;
  /** It feeds no more; its threads stay for the next one. */
  close(): void;
}

/** Opens a decoder of one sequence on a copy of the weights, which `weights` gives by their Hugging Face names. */
export function openDecoder(config: ModelConfig, weights: WeightOf, options: DecoderOptions): Decoder {
  const { length } = options;
  const decoder = openBatchDecoder(config, weights, { ...options, slots: 1, rows: CHUNK });
  let held = 0;
  return {
    length,
    reset: () => void (held = 0),
    close: () => decoder.close(),
    feed(tokens) {
      if (tokens.length === 0) throw new RangeError('no tokens to feed');
      if (held + tokens.length > length)
        throw new RangeError(`${held + tokens.length} tokens, the decoder holds ${length}`);
      for (const id of tokens)
        if (!Number.isInteger(id) || id < 0 || id >= config.vocabulary)
          throw new RangeError(`token ${id}: the vocabulary has ${config.vocabulary}`);
      const at = (i: number) => ({ slot: 0, position: held + i, token: tokens[i]! });
      const last = tokens.length - 1;
      for (let from = 0; from < last; from += CHUNK)
        decoder.step(
          Array.from({ length: Math.min(CHUNK, last - from) }, (_, i) => at(from + i)),
          [],
        );
      const { logits } = decoder.step([at(last)], [{ temperature: 0, u: 0 }]);
      held += tokens.length;
      return logits;
    },
  };
}
