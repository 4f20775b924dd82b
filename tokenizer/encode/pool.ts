import { Worker } from 'node:worker_threads';
import { compiledModule } from '../../core/root.ts';
import type { TextBatch, TokenBatch } from './worker.ts';

/** Text that goes to a thread at once [bytes]: enough that handing it over costs nothing, little enough that order needs no waiting. */
const BATCH_BYTES = 1 << 20;
/** Batches under way for each thread. */
const AHEAD = 2;

/** Encodes on several threads and gives the results in the order of the texts. */
export interface EncodePool {
  /** Items with their tokens. `textOf` is UTF-8; at most a few MB of text a thread are held beside one batch of items. */
  encode<T>(items: AsyncIterable<readonly T[]>, textOf: (item: T) => Uint8Array): AsyncGenerator<[T, Uint32Array][]>;
  close(): Promise<void>;
}

interface Waiting {
  resolve(batch: TokenBatch): void;
  reject(error: Error): void;
}

/** Starts `threads` threads with the tokenizer of a file, which the caller has opened before: here it must not fail. */
export function openEncodePool(tokenizer: string, threads: number): EncodePool {
  const workers = Array.from({ length: threads }, () => {
    const path = compiledModule('tokenizer/encode/worker');
    // Flags of the program that started us (a profiler's, -e) are not for a thread.
    const worker = new Worker(path, { workerData: tokenizer, execArgv: [] });
    const state: { queue: Waiting[]; broken: Error | null } = { queue: [], broken: null };
    const fail = (error: Error) => {
      state.broken ??= error;
      for (const waiting of state.queue.splice(0)) waiting.reject(state.broken);
    };
    worker.on('message', (batch: TokenBatch) => state.queue.shift()?.resolve(batch));
    worker.on('error', fail);
    worker.on('exit', (code) => fail(new Error(`a thread that encodes ended (exit code ${code})`)));
    return { worker, state };
  });
  let next = 0;
  const send = (texts: readonly Uint8Array[]): Promise<TokenBatch> => {
    const { worker, state } = workers[next++ % threads]!;
    if (state.broken) return Promise.reject(state.broken);
    const batch = packed(texts);
    const result = new Promise<TokenBatch>((resolve, reject) => state.queue.push({ resolve, reject }));
    // Whoever reads in order meets the error later; until then nobody listens.
    result.catch(() => {});
    worker.postMessage(batch, [batch.utf8.buffer, batch.ends.buffer]);
    return result;
  };
  return {
    async *encode<T>(items: AsyncIterable<readonly T[]>, textOf: (item: T) => Uint8Array) {
      const pending: { items: readonly T[]; result: Promise<TokenBatch> }[] = [];
      for await (const batch of items)
        for (const group of groupsOf(batch, (item) => textOf(item).length)) {
          pending.push({ items: group, result: send(group.map(textOf)) });
          if (pending.length > threads * AHEAD) yield await answer(pending.shift()!);
        }
      while (pending.length > 0) yield await answer(pending.shift()!);
    },
    async close() {
      await Promise.all(workers.map(({ worker }) => worker.terminate()));
    },
  };
}

async function answer<T>(sent: { items: readonly T[]; result: Promise<TokenBatch> }): Promise<[T, Uint32Array][]> {
  const { tokens, ends } = await sent.result;
  return sent.items.map((item, i) => [item, tokens.subarray(i === 0 ? 0 : ends[i - 1], ends[i])]);
}

/** Runs of items whose texts together reach the size of a batch. */
function* groupsOf<T>(items: readonly T[], sizeOf: (item: T) => number): Generator<T[]> {
  let group: T[] = [];
  let bytes = 0;
  for (const item of items) {
    group.push(item);
    bytes += sizeOf(item);
    if (bytes < BATCH_BYTES) continue;
    yield group;
    [group, bytes] = [[], 0];
  }
  if (group.length > 0) yield group;
}

function packed(texts: readonly Uint8Array[]): TextBatch {
  const ends = new Uint32Array(texts.length);
  let bytes = 0;
  for (const [i, text] of texts.entries()) ends[i] = bytes += text.length;
  const utf8 = new Uint8Array(bytes);
  for (const [i, text] of texts.entries()) utf8.set(text, ends[i]! - text.length);
  return { utf8, ends };
}
