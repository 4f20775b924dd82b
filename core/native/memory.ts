import { createRequire } from 'node:module';

/**
 * Memory that C owns (a mapping, an arena), as a buffer without a copy. The caller knows that `bytes` lie there and keeps
 * them until nobody reads the buffer any more. Never transfer it to another thread: hand the address on instead.
 */
export function viewMemory(address: bigint, bytes: number): ArrayBuffer {
  const koffi = createRequire(import.meta.url)('koffi') as { view(pointer: bigint, length: number): ArrayBuffer };
  return koffi.view(address, bytes);
}
