import type { Decoder } from '../session.ts';
import { choose, uniform, type Choice } from './choose.ts';

export interface GenerateOptions extends Choice {
  /** Most tokens to make. */
  tokens: number;
  seed: number;
  /** Which of several texts of one seed: each has its own draws. */
  sequence: number;
  /** Tokens that end the text; they are not given out. */
  stop: readonly number[];
  /** Tokens that are never drawn: special ones that are no end. */
  never?: readonly number[];
}

/** Why a text ended: at a stop token, after the number of tokens asked for, or where the decoder is full. */
export type Ended = 'stop' | 'tokens' | 'context';

/** Continues `prompt` (at least one token) token by token; what the decoder held before is forgotten. */
export function* generate(
  decoder: Decoder,
  prompt: readonly number[],
  options: GenerateOptions,
): Generator<number, Ended> {
  decoder.reset();
  let fed = prompt;
  let held = 0;
  for (let made = 0; made < options.tokens; made++) {
    held += fed.length;
    if (held > decoder.length) return 'context';
    const logits = decoder.feed(fed);
    for (const id of options.never ?? []) logits[id] = -Infinity;
    const id = choose(logits, options, uniform(options.seed, options.sequence, made));
    if (options.stop.includes(id)) return 'stop';
    yield id;
    fed = [id];
  }
  return 'tokens';
}

/** Bytes of tokens → text, never half a character: what is not whole yet waits for the next token, and is dropped at the end. */
export function textStream(): (bytes: Uint8Array) => string {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  return (bytes) => decoder.decode(bytes, { stream: true });
}
