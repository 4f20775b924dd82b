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

/** Continues `prompt` (at least one token) token by token, until a stop token, the number of tokens, or the decoder's length. */
export function* generate(
  decoder: Decoder,
  room: number,
  prompt: readonly number[],
  options: GenerateOptions,
): Generator<number, 'stop' | 'tokens' | 'context'> {
  let fed = prompt;
  for (let made = 0; made < options.tokens; made++) {
    if (decoder.length + fed.length > room) return 'context';
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
