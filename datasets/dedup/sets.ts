import { closeSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs';

/** Shingle sets on disk, by number, so that memory holds a few of them and 12 bytes for each of the others. */
export interface SetStore {
  /** Stores a set under a number from 0; numbers may come in any order, each once. */
  put(number: number, set: BigUint64Array): void;
  /** Values in a set; 0 where none was stored. */
  size(number: number): number;
  /** The set, ascending; it may lie in a cache and must not be changed. */
  get(number: number): BigUint64Array;
  close(): void;
}

const WRITE_BUFFER = 1 << 20;
const CACHE_BYTES = 64 << 20;

/** Opens a store in a new temporary file, which is unlinked at once: nothing stays behind, however the process ends. */
export function openSetStore(path: string): SetStore {
  const file = openSync(path, 'wx+', 0o600);
  unlinkSync(path);
  let offsets = new Float64Array(1 << 10);
  let sizes = new Uint32Array(1 << 10);
  let pending: Buffer[] = [];
  let pendingBytes = 0;
  let end = 0;
  const cache = new Map<number, BigUint64Array>();
  let cached = 0;

  const flush = () => {
    const data = Buffer.concat(pending);
    for (let done = 0; done < data.length;) done += writeSync(file, data, done);
    [pending, pendingBytes] = [[], 0];
  };
  return {
    put(number, set) {
      if (number >= offsets.length) {
        const length = 2 ** Math.ceil(Math.log2(number + 1));
        offsets = grown(offsets, new Float64Array(length));
        sizes = grown(sizes, new Uint32Array(length));
      }
      offsets[number] = end;
      sizes[number] = set.length;
      pending.push(Buffer.from(set.buffer.slice(set.byteOffset, set.byteOffset + set.byteLength)));
      end += set.byteLength;
      pendingBytes += set.byteLength;
      if (pendingBytes >= WRITE_BUFFER) flush();
    },
    size: (number) => sizes[number] ?? 0,
    get(number) {
      const known = cache.get(number);
      if (known) return known;
      if (pendingBytes > 0) flush();
      const set = new BigUint64Array(sizes[number] ?? 0);
      const bytes = new Uint8Array(set.buffer);
      for (let done = 0; done < bytes.length;) {
        const got = readSync(file, bytes, done, bytes.length - done, offsets[number]! + done);
        if (got === 0) throw new Error('the file of shingle sets ends too early');
        done += got;
      }
      cache.set(number, set);
      cached += set.byteLength;
      for (const [oldest, { byteLength }] of cache) {
        if (cached <= CACHE_BYTES || oldest === number) break;
        cache.delete(oldest);
        cached -= byteLength;
      }
      return set;
    },
    close: () => closeSync(file),
  };
}

/** Copies a typed array to the start of a longer one. */
export function grown<T extends { set(from: ArrayLike<number>): void }>(from: ArrayLike<number>, to: T): T {
  to.set(from);
  return to;
}
