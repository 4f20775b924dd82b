import type { Token } from '../sample/batch.ts';
import { textStream } from '../sample/generate.ts';

/** A part of an answer that can be sent, and the tokens that end in it. */
export interface Piece {
  text: string;
  tokens: Token[];
}

export interface AnswerText {
  /** `stopped`: a stop text was met; nothing after it comes, and it is no part of the answer. */
  push(token: Token): Piece & { stopped: boolean };
  /** What was held back because it could have become a stop text. */
  end(): Piece;
}

/**
 * Tokens → text that can be sent. Half a character waits for its other half and is dropped at the end; what could be the
 * beginning of a stop text waits until it is none. A stop text may begin and end inside tokens.
 */
export function answerText(bytesOf: (id: number) => Uint8Array, stops: readonly string[]): AnswerText {
  const decode = textStream();
  let held = '';
  let released = 0;
  let tokens: { token: Token; from: number; to: number }[] = [];
  const release = (length: number, ready: (t: { from: number; to: number }) => boolean): Piece => {
    const text = held.slice(0, length);
    held = held.slice(length);
    released += length;
    const out = tokens.filter(ready).map((t) => t.token);
    tokens = tokens.filter((t) => !ready(t));
    return { text, tokens: out };
  };
  return {
    push(token) {
      const from = released + held.length;
      held += decode(bytesOf(token.id));
      tokens.push({ token, from, to: released + held.length });
      const found = stops.map((s) => held.indexOf(s)).filter((at) => at >= 0);
      if (found.length > 0) {
        const end = released + Math.min(...found);
        return { ...release(Math.min(...found), (t) => t.from < end), stopped: true };
      }
      const length = held.length - Math.max(0, ...stops.map((s) => overlap(held, s)));
      const end = released + length;
      return { ...release(length, (t) => t.to <= end), stopped: false };
    },
    end: () => release(held.length, () => true),
  };
}

/** The longest end of `text` that is a beginning of `stop`, and not the whole of it. */
function overlap(text: string, stop: string): number {
  for (let n = Math.min(text.length, stop.length - 1); n > 0; n--) if (text.endsWith(stop.slice(0, n))) return n;
  return 0;
}
