import { closeSync, existsSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { explainSystemError, GarnerError, type ErrorParts } from '../errors.ts';
import { describeLease, leaseHolder, takeLease } from './lease.ts';

const LOCK_EX = 2;
const LOCK_NB = 4;

interface Flock {
  call(fd: number, operation: number): number;
  errno: () => number;
  codes: Record<string, number>;
}
let flock: Flock | undefined;

/** `taken` where the lock is ours now, `held` where another has it, `none` where the file system has no locks: there the lease alone counts. */
function tryLock(fd: number): 'taken' | 'held' | 'none' {
  if (!flock) {
    const koffi = createRequire(import.meta.url)('koffi') as {
      load(path: null): { func(prototype: string): Flock['call'] };
      errno: () => number;
      os: { errno: Record<string, number> };
    };
    flock = { call: koffi.load(null).func('int flock(int, int)'), errno: koffi.errno, codes: koffi.os.errno };
  }
  for (;;) {
    if (flock.call(fd, LOCK_EX | LOCK_NB) === 0) return 'taken';
    const code = flock.errno();
    if (code === flock.codes['EINTR']) continue;
    return code === flock.codes['EWOULDBLOCK'] || code === flock.codes['EAGAIN'] ? 'held' : 'none';
  }
}

export interface Lock {
  release(): void;
}

export interface LockOptions {
  wait: boolean;
  onWait?: (holder: string) => void;
  signal?: AbortSignal | undefined;
  /** Says who holds it, where it is not the whole lake that is locked. */
  held?: (holder: string) => ErrorParts;
  /** Another has taken over while this process was silent: it must stop. By default the process says so and ends. */
  onLost?: (lost: GarnerError) => void;
}

/**
 * Takes the lake's writer lock: flock, so that the kernel gives it back when its holder dies, however it dies; and a lease
 * beside it, for file systems on which the kernel of one host knows nothing of another's locks.
 * Readers never take it. A folder of the lake that is written apart (the judgements) has one of its own. `wait` waits for
 * the holder; without it, a GarnerError says who holds it. A holder that nobody can ask is waited for until it has been
 * silent for a minute.
 */
export async function lockLake(lake: string, options: LockOptions): Promise<Lock> {
  const path = join(lake, '.lock');
  const refuse = (holder: string): GarnerError =>
    new GarnerError(
      options.held?.(holder) ?? {
        what: `the lake is being written by ${holder}`,
        where: lake,
        hint: 'wait for it, stop it, or add --wait to go on as soon as it has ended; readers (sql, why, stats) need not wait',
      },
    );
  let told = false;
  const tell = (holder: string) => {
    if (!told) options.onWait?.(holder);
    told = true;
  };
  let fd: number;
  try {
    fd = openSync(path, 'a+');
  } catch (error) {
    throw explainSystemError(error, path);
  }
  try {
    for (let tries = 0; tryLock(fd) === 'held'; tries++) {
      // "garner status" asks the lock by taking it for a moment: such a holder is not worth a word.
      if (tries >= 3) {
        const holder = readFileSync(path, 'utf8').trim() || 'another process';
        if (!options.wait) throw refuse(holder);
        tell(holder);
      }
      await sleep(tries < 3 ? 20 : 200, undefined, { signal: options.signal });
    }
    let holder = '';
    const lease = await takeLease(lake, {
      signal: options.signal,
      onWait(who, lives) {
        holder = who;
        if (lives && !options.wait) return false;
        tell(lives ? who : `${who}, which may be dead: at most a minute`);
        return true;
      },
      onLost: (by) => (options.onLost ?? stop)(lostTo(by, lake)),
    });
    if (lease === null) throw refuse(holder);
    ftruncateSync(fd, 0);
    writeSync(fd, `process ${process.pid} on ${hostname()}, since ${new Date().toISOString()}\n`);
    return {
      release() {
        lease.release();
        closeSync(fd);
      },
    };
  } catch (error) {
    closeSync(fd);
    throw explainSystemError(error, path);
  }
}

const lostTo = (holder: string, lake: string): GarnerError =>
  new GarnerError({
    what: `this process was silent for so long that the lake was taken over by ${holder}`,
    where: lake,
    hint: 'it stops, and nothing half-written counts; let the other go on',
  });

/** Files appear by rename: a process may end at any moment. */
function stop(lost: GarnerError): void {
  process.stderr.write(`garner: ${lost.format()}\n`);
  process.exit(1);
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
    if (tryLock(fd) === 'held') return readFileSync(path, 'utf8').trim();
    const lease = leaseHolder(lake);
    return lease && describeLease(lease);
  } finally {
    closeSync(fd);
  }
}
