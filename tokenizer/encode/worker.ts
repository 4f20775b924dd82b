// A thread of encode/pool.ts: gets texts, gives tokens.
import { parentPort, workerData } from 'node:worker_threads';
import { loadTokenizer } from './index.ts';

/** Texts in a row; `ends[i]` is where text i ends. */
export interface TextBatch {
  utf8: Uint8Array<ArrayBuffer>;
  ends: Uint32Array<ArrayBuffer>;
}

/** Tokens in a row; `ends[i]` is where those of text i end. */
export interface TokenBatch {
  tokens: Uint32Array<ArrayBuffer>;
  ends: Uint32Array<ArrayBuffer>;
}

const tokenizer = loadTokenizer(workerData as string);

parentPort!.on('message', ({ utf8, ends }: TextBatch) => {
  // There are never more tokens than bytes.
  const tokens = new Uint32Array(utf8.length);
  const after = new Uint32Array(ends.length);
  let filled = 0;
  for (let i = 0; i < ends.length; i++) {
    const ids = tokenizer.encodeBytes(utf8.subarray(i === 0 ? 0 : ends[i - 1], ends[i]));
    tokens.set(ids, filled);
    filled += ids.length;
    after[i] = filled;
  }
  const batch: TokenBatch = { tokens: tokens.slice(0, filled), ends: after };
  parentPort!.postMessage(batch, [batch.tokens.buffer, batch.ends.buffer]);
});
