import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../core/root.ts';

/** A file of the shared test data, or null where the project stands alone; the tests that need it then say that they are skipped. */
export function sharedData(path: string): string | null {
  const full = join(packageRoot, '..', 'shared', 'data', path);
  if (existsSync(full)) return full;
  console.warn(`skipped: ../shared/data/${path} is not on this machine`);
  return null;
}
