import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fstatSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { setTimeout as sleep } from 'node:timers/promises';
import { temporaryName } from '../files.ts';
import { keyOf } from '../hash.ts';
import { isDead, ownName, type ProcessName } from '../machine.ts';
import { compiledModule } from '../root.ts';

/** The file that says who holds a folder. */
const NAME = '.lease';
/** How often a holder shows that it lives, and how long it may be silent before another takes its place [ms]. */
const RENEW_MS = 4_000;
export const SILENT_MS = 60_000;
/** A step from the claim to the place of a silent holder must be quick, or be given up [ms]. */
const CLAIM_MS = 10_000;

/** What a lease says. */
export interface LeaseText extends ProcessName {
  /** Names this lease and no other. */
  id: string;
  since: string;
}

export interface Lease {
  release(): void;
}

export interface LeaseOptions {
  /** How long a holder of another host may be silent [ms]; shorter in tests. */
  silentMs?: number;
  renewMs?: number;
  /** A holder that nobody can ask is watched; returns false where it is not to be waited for although it lives. */
  onWait: (holder: string, lives: boolean) => boolean;
  /** Somebody else has taken the lease while this process was silent. */
  onLost: (holder: string) => void;
  signal?: AbortSignal | undefined;
}

/** Says who holds a lease, as a person reads it. */
export const describeLease = ({ pid, host, since }: LeaseText): string => `process ${pid} on ${host}, since ${since}`;

/** A lease's file, whole or null where there is none; `raw` is what is compared, since a torn text is a sign of life too. */
function readLease(path: string): { raw: string; text: LeaseText | null } | null {
  let raw: string;
  try {
    raw = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOENT') return null;
    // A network file system says so of a file that another host has just replaced.
    if ((error as { code?: string }).code === 'ESTALE') return { raw: '', text: null };
    throw error;
  }
  try {
    const text = JSON.parse(raw) as LeaseText | null;
    return { raw, text: typeof text?.id === 'string' ? text : null };
  } catch {
    return { raw, text: null };
  }
}

/** Who holds the folder by a lease and is not certainly dead; null where nobody does. */
export function leaseHolder(folder: string): LeaseText | null {
  const found = readLease(join(folder, NAME));
  return found?.text && !isDead(found.text) ? found.text : null;
}

/** Always of one length: the signs of life are counted in it. */
const serialise = (text: LeaseText, beat: number): string =>
  `${JSON.stringify({ ...text, beat: String(beat).padStart(12, '0') })}\n`;

/**
 * Takes a lease on a folder, for file systems where the kernel of one host knows nothing of another's locks. The file comes
 * into being by link(), which also NFS does for one host only. Its holder rewrites it in place every few seconds. It is
 * taken over at once where its holder is certainly dead (same machine, no such process); else when it has not changed for
 * `silentMs` on this host's own steady clock: clocks of two hosts are never compared. Only one can take over, through a file
 * named after the lease that is taken. A holder that was silent for so long finds another's id in the file and is told.
 */
export async function takeLease(folder: string, options: LeaseOptions): Promise<Lease | null> {
  const { silentMs = SILENT_MS, renewMs = RENEW_MS } = options;
  const path = join(folder, NAME);
  const mine: LeaseText = { ...ownName, id: randomBytes(8).toString('hex'), since: new Date().toISOString() };
  let seen = null as { raw: string; at: number; changed: boolean } | null;
  for (;;) {
    options.signal?.throwIfAborted();
    const now = performance.now();
    const found = readLease(path);
    if (found === null) {
      seen = null;
      if (create(path, mine)) return keep(path, mine, renewMs, options.onLost);
      continue;
    }
    if (seen?.raw !== found.raw) seen = { raw: found.raw, at: now, changed: seen !== null };
    const dead = found.text !== null && isDead(found.text);
    const silent = now - seen.at;
    if (dead || silent >= silentMs) {
      const id = found.text?.id ?? keyOf(found.raw);
      if (replace(folder, found.raw, id, mine, Math.floor(silent / silentMs))) {
        // Where an old view of the folder made two of us replace it, the later one stands.
        if (!dead) await sleep(Math.min(1_000, silentMs / 4));
        if (readLease(path)?.text?.id === mine.id) return keep(path, mine, renewMs, options.onLost);
      }
      await sleep(20, undefined, { signal: options.signal });
      continue;
    }
    const lives = seen.changed || found.text?.machine === ownName.machine;
    const holder = found.text ? describeLease(found.text) : 'another process';
    if (!options.onWait(holder, lives)) return null;
    await sleep(Math.min(200, silentMs / 10), undefined, { signal: options.signal });
  }
}

/** Makes the file with its text in one step; false where it is there already. */
function create(path: string, text: LeaseText): boolean {
  const temporary = temporaryName(path);
  writeWhole(temporary, serialise(text, 0));
  try {
    linkSync(temporary, path);
    return true;
  } catch (error) {
    const { code } = error as { code?: string };
    // The answer to a link() may be lost on the way while the link is there.
    if (code === 'EEXIST') return statSync(temporary).nlink === 2;
    if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'].includes(code ?? '')) throw error;
    return createWithoutLinks(path, text);
  } finally {
    rmSync(temporary, { force: true });
  }
}

function createWithoutLinks(path: string, text: LeaseText): boolean {
  try {
    writeWhole(path, serialise(text, 0), 'wx');
    return true;
  } catch (error) {
    if ((error as { code?: string }).code === 'EEXIST') return false;
    throw error;
  }
}

function writeWhole(path: string, text: string, flags: 'w' | 'wx' = 'w'): void {
  const fd = openSync(path, flags);
  try {
    writeSync(fd, text);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/**
 * Puts a new lease in the place of the one with that text; of all who try, only the one that makes the claim's file does.
 * A claim whose maker has died on the way, or that has stood through `patience` − 1 times of silence, counts no more: the next
 * number is claimed. No claim is removed before its lease has gone.
 */
function replace(folder: string, raw: string, id: string, mine: LeaseText, patience: number): boolean {
  const path = join(folder, NAME);
  const claim = (n: number) => join(folder, `${NAME}-claim-${id}-${n}`);
  const started = performance.now();
  let n = 0;
  for (let before = readLease(claim(n)); before !== null; before = readLease(claim(++n)))
    if (!(before.text && isDead(before.text)) && patience < n + 2) return false;
  if (!create(claim(n), mine)) return false;
  const temporary = temporaryName(path);
  let gone = false;
  try {
    writeWhole(temporary, serialise(mine, 0));
    gone = readLease(path)?.raw !== raw;
    if (gone || performance.now() - started > CLAIM_MS) return false;
    renameSync(temporary, path);
    gone = true;
    return true;
  } finally {
    rmSync(temporary, { force: true });
    for (let i = gone ? 0 : n; i <= n; i++) rmSync(claim(i), { force: true });
  }
}

/** Shows signs of life from a thread of its own, since native code may hold this one for minutes. */
function keep(path: string, mine: LeaseText, renewMs: number, onLost: (holder: string) => void): Lease {
  const worker = new Worker(compiledModule('core/lake/lease-keeper'), {
    workerData: { path, mine, renewMs },
    execArgv: [],
  });
  worker.unref();
  let released = false;
  worker.on('message', (holder: string) => {
    if (!released) onLost(holder);
  });
  worker.on('error', (error) => {
    if (!released) onLost(`nobody: it could not be renewed (${error.message})`);
  });
  return {
    release() {
      released = true;
      void worker.terminate();
      if (readLease(path)?.text?.id === mine.id) rmSync(path, { force: true });
    },
  };
}

/** One sign of life through an open file; who has taken the lease, where it is not ours any more. */
export function renew(fd: number, path: string, text: LeaseText, beat: number): string | null {
  const found = readLease(path);
  if (found === null) return 'somebody who removed its file';
  if (found.text !== null && found.text.id !== text.id) return describeLease(found.text);
  // In place, never by rename: a file that was taken from us must not come back. One write of one length is never torn.
  writeSync(fd, serialise(text, beat), 0);
  fsyncSync(fd);
  return fstatSync(fd).nlink === 0 ? 'somebody who replaced its file' : null;
}
