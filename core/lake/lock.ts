import { closeSync, existsSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { explainSystemError, GarnerError } from '../errors.ts';

const LOCK_EX = 2;
const LOCK_NB = 4;

let flock: ((fd: number, operation: number) => number) | undefined;

function tryLock(fd: number): boolean {
  if (!flock) {
    const koffi = createRequire(import.meta.url)('koffi') as {
      load(path: null): { func(prototype: string): (fd: number, operation: number) => number };
    };
    flock = koffi.load(null).func('int flock(int, int)');
  }
  return flock(fd, LOCK_EX | LOCK_NB) === 0;
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
  options: { wait: boolean; onWait?: (holder: string) => void },
): Promise<Lock> {
  const path = join(lake, '.lock');
  let fd: number;
  try {
    fd = openSync(path, 'a+');
  } catch (error) {
    throw explainSystemError(error, path);
  }
  let told = false;
  while (!tryLock(fd)) {
    const holder = readFileSync(path, 'utf8').trim() || 'another process';
    if (!options.wait) {
      closeSync(fd);
      throw new GarnerError({
        what: `the lake is being written by ${holder}`,
        where: lake,
        hint: 'wait for it, stop it, or add --wait to go on as soon as it has ended; readers (sql, why, stats) need not wait',
      });
    }
    if (!told) options.onWait?.(holder);
    told = true;
    await sleep(200);
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
  const fd = openSync(path, 'r');
  try {
    return tryLock(fd) ? null : readFileSync(path, 'utf8').trim();
  } finally {
    closeSync(fd);
  }
}
