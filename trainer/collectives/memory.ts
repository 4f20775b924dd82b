import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { freemem } from 'node:os';
import { GarnerError } from '../../core/errors.ts';

/** Zeroed memory of this process whose address is a multiple of `to` [bytes]. Throws a GarnerError when the machine has not so much. */
export function alignedMemory(bytes: number, rank: number, to = 64): { buffer: ArrayBuffer; byteOffset: number } {
  const free = freeBytes();
  if (bytes > free) throw wantOfMemory(rank, bytes, free);
  const koffi = createRequire(import.meta.url)('koffi') as { address(view: Uint8Array, type: string): bigint };
  let buffer: ArrayBuffer;
  try {
    buffer = new ArrayBuffer(bytes + to);
  } catch {
    throw wantOfMemory(rank, bytes, free);
  }
  const past = Number(koffi.address(new Uint8Array(buffer, 0, 1), 'void *') % BigInt(to));
  return { buffer, byteOffset: past === 0 ? 0 : to - past };
}

/** Memory that the kernel could give without swapping [bytes], within the limit of a container. */
export function freeBytes(): number {
  let free = freemem();
  try {
    free = 1024 * Number(/^MemAvailable:\s+(\d+) kB/m.exec(readFileSync('/proc/meminfo', 'utf8'))![1]);
  } catch {
    // What is free now is less than what could be had.
  }
  const limit = process.constrainedMemory();
  return limit > 0 ? Math.min(free, limit) : free;
}

export const wantOfMemory = (rank: number, need: number, free: number): GarnerError =>
  new GarnerError({
    what: `rank ${rank} needs ${gigabytes(need)} GB of memory, and the machine has ${gigabytes(free)} GB free`,
    hint: 'train with fewer ranks, a smaller model or a smaller micro-batch',
  });

const gigabytes = (bytes: number): string => (bytes / 1e9).toFixed(bytes < 1e10 ? 2 : 0);
