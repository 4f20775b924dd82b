import { createRequire } from 'node:module';

const PR_SET_PDEATHSIG = 1;
const SIGKILL = 9;

/**
 * This process ends with its parent, however that one ends: by the kernel on Linux, since a rank that waits for another in C
 * hears no messages; by the end of the channel elsewhere.
 */
export function followParent(parent: number): void {
  process.on('disconnect', () => process.exit(1));
  try {
    const koffi = createRequire(import.meta.url)('koffi') as {
      load(path: null): { func(prototype: string): (...args: number[]) => number };
    };
    const prctl = koffi.load(null).func('int prctl(int, ulong, ulong, ulong, ulong)');
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  } catch {
    // Not Linux.
  }
  // It may have gone before the kernel was asked.
  if (process.ppid !== parent) process.exit(1);
}
