import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { packageRoot } from '../core/root.ts';

/** A file of the shared data beside the repository, or null where it is absent: the case then says so and goes on. */
export function sharedFile(path: string): string | null {
  const full = join(packageRoot, '..', 'shared', 'data', path);
  return existsSync(full) ? full : null;
}

/** The JSON lines of a file (.gz too). */
export const jsonLines = <T>(path: string): T[] =>
  textOf(path)
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T);

/** A file's text (.gz too). */
export function textOf(path: string): string {
  const bytes = readFileSync(path);
  return (path.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8');
}
