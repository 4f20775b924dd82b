import { bytesOf, type ExportFile } from './file.ts';

/** Tokens on their way into a file. */
export interface TokenSink {
  /** Written so far [tokens]. */
  length: number;
  append(tokens: ArrayLike<number>): void;
  /** Hands everything to the file. */
  flush(): void;
}

const BUFFER = 1 << 20;

/** Writes tokens as whole numbers of `width` bytes. */
export function tokenSink(file: ExportFile, width: 2 | 4): TokenSink {
  const held = width === 2 ? new Uint16Array(BUFFER) : new Uint32Array(BUFFER);
  let filled = 0;
  const sink: TokenSink = {
    length: 0,
    append(tokens) {
      sink.length += tokens.length;
      for (let at = 0; at < tokens.length;) {
        if (filled === BUFFER) sink.flush();
        const n = Math.min(BUFFER - filled, tokens.length - at);
        held.set(partOf(tokens, at, at + n), filled);
        filled += n;
        at += n;
      }
    },
    flush() {
      if (filled > 0) file.write(bytesOf(held.subarray(0, filled)));
      filled = 0;
    },
  };
  return sink;
}

/** Tokens `from` to `to`: a view where there is one, so that a long document is not copied for each piece. */
export function partOf(tokens: ArrayLike<number>, from: number, to: number): ArrayLike<number> {
  if (from === 0 && to === tokens.length) return tokens;
  return ArrayBuffer.isView(tokens)
    ? (tokens as Uint32Array).subarray(from, to)
    : Array.prototype.slice.call(tokens, from, to);
}
