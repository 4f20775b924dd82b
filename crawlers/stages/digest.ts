import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { explainSystemError } from '../../core/errors.ts';

const known = new Map<string, string>();

/** SHA-256 of a file, read once in a process as long as its size and time of change stay the same. */
export function digestOf(path: string): string {
  let file: number | undefined;
  try {
    const { mtimeMs, size } = statSync(path);
    const key = `${path}\u0000${mtimeMs}\u0000${size}`;
    const before = known.get(key);
    if (before) return before;
    file = openSync(path, 'r');
    const hash = createHash('sha256');
    const buffer = Buffer.allocUnsafe(1 << 20);
    for (let n = readSync(file, buffer); n > 0; n = readSync(file, buffer)) hash.update(buffer.subarray(0, n));
    const digest = hash.digest('hex');
    known.set(key, digest);
    return digest;
  } catch (error) {
    throw explainSystemError(error, path);
  } finally {
    if (file !== undefined) closeSync(file);
  }
}
