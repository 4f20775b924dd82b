import { closeSync, existsSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { explainSystemError, GarnerError } from '../errors.ts';

const LOCK_EX = 2;
const LOCK_NB = 4;

interface Flock {
  call(fd: number, operation: number): number;
  errno: () => number;
  codes: Record<string, number>;
}
let flock: Flock | undefined;

/** True where the lock is ours now, false where another has it. Throws a GarnerError where the file system has no locks. */
function tryLock(fd: number, path: string): boolean {
  if (!flock) {
    const koffi = createRequire(import.meta.url)('koffi') as {
      load(path: null): { func(prototype: string): Flock['call'] };
      errno: () => number;
      os: { errno: Record<string, number> };
    };
    flock = { call: koffi.load(null).func('int flock(int, int)'), errno: koffi.errno, codes: koffi.os.errno };
  }
  for (;;) {
    if (flock.call(fd, LOCK_EX | LOCK_NB) === 0) return true;
    const code = flock.errno();
    if (code === flock.codes['EINTR']) continue;
    if (code === flock.codes['EWOULDBLOCK'] || code === flock.codes['EAGAIN']) return false;
    throw new GarnerError({
      what: `this file system gives no locks (flock: error ${code})`,
      where: path,
      hint: 'keep the lake on a local disk, or on NFS with its lock service running',
    });
  }
}

export interface Lock {
  release(): void;
}

/**
 * Takes the lake's writer lock: flock, so that the kernel gives it back when its holder dies, however it dies.
 * Readers never take it. `wait` waits for the holder; without it, a GarnerError says who holds it.
 */
export async function lockLake(
  lake: string,
  options: { wait: boolean; onWait?: (holder: string) => void; signal?: AbortSignal | undefined },
): Promise<Lock> {
  const path = join(lake, '.lock');
  let fd: number;
  try {
    fd = openSync(path, 'a+');
  } catch (error) {
    throw explainSystemError(error, path);
  }
  try {
    for (let tries = 0, told = false; !tryLock(fd, path); tries++) {
      // "garner status" asks the lock by taking it for a moment: such a holder is not worth a word.
      if (tries >= 3) {
        const holder = readFileSync(path, 'utf8').trim() || 'another process';
        if (!options.wait)
          throw new GarnerError({
            what: `the lake is being written by ${holder}`,
            where: lake,
            hint: 'wait for it, stop it, or add --wait to go on as soon as it has ended; readers (sql, why, stats) need not wait',
          });
        if (!told) options.onWait?.(holder);
        told = true;
      }
      await sleep(tries < 3 ? 20 : 200, undefined, { signal: options.signal });
    }
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  ftruncateSync(fd, 0);
  writeSync(fd, `process ${process.pid} on ${hostname()}, since ${new Date().toISOString()}\n`);
  return {
    release() {
      closeSync(fd);
    },
  };
}

/** Who writes the lake now, or null: asks the lock, not the file's words, so that a dead holder is none. */
export async function lockHolder(lake: string): Promise<string | null> {
  const path = join(lake, '.lock');
  if (!existsSync(path)) return null;
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (error) {
    throw explainSystemError(error, path);
  }
  try {
    return tryLock(fd, path) ? null : readFileSync(path, 'utf8').trim();
  } finally {
    closeSync(fd);
  }
}
