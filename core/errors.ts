/** The exit code of a run that was asked to stop and can go on: EX_TEMPFAIL, which asks a cluster for a requeue. */
export const AGAIN = 75;

/** Whose move it is, as an exit code: 2 where a recipe or an argument must change, 75 where the same command goes on, 1 for everything else. */
export type Fault = 1 | 2 | typeof AGAIN;

export interface ErrorParts {
  /** What is wrong, one clause. */
  what: string;
  /** Something a person can open: file:line:column, a URL, a table and row. */
  where?: string | undefined;
  /** The next thing to do. */
  hint?: string | undefined;
  fault?: Fault | undefined;
}

/** The one error that a person must act on. Anything else that is thrown is a bug of ours. */
export class GarnerError extends Error {
  readonly where: string | undefined;
  readonly hint: string | undefined;
  readonly fault: Fault;

  constructor({ what, where, hint, fault = 1 }: ErrorParts, cause?: unknown) {
    super(where ? `${where}: ${what}` : what, cause === undefined ? undefined : { cause });
    this.name = 'GarnerError';
    this.where = where;
    this.hint = hint;
    this.fault = fault;
  }

  /** As a terminal shows it: what is wrong, and below it what to do. */
  format(): string {
    return this.hint ? `${this.message}\n  ${this.hint.replaceAll('\n', '\n  ')}` : this.message;
  }
}

/** The nearest of `names` within an edit distance of 2, for "did you mean"; a farther guess misleads. */
export function nearest(word: string, names: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = 3;
  for (const name of names) {
    const distance = editDistance(word, name, bestDistance);
    if (distance < bestDistance) [best, bestDistance] = [name, distance];
  }
  return best;
}

function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit;
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}

/** The operating system's errors in a person's words; others pass unchanged. */
export function explainSystemError(error: unknown, where?: string): unknown {
  const { code, path, port } = Object(error) as { code?: string; path?: string; port?: number };
  const at = where ?? path;
  const known: Record<string, ErrorParts> = {
    ENOSPC: {
      what: 'the disk is full',
      hint: 'free some space and run the same command again: it goes on where it stopped',
    },
    EDQUOT: {
      what: 'the disk quota is used up',
      hint: 'free some space and run the same command again: it goes on where it stopped',
    },
    EROFS: { what: 'the file system is read-only', hint: 'choose another folder with --lake DIR' },
    EACCES: {
      what: 'permission denied',
      hint: 'check the owner and mode of that path, or choose another with --lake DIR',
    },
    ENOENT: { what: 'no such file or folder', hint: 'check the path', fault: 2 },
    EISDIR: { what: 'this is a folder, a file was expected', hint: 'name a file', fault: 2 },
    ENOTDIR: { what: 'a part of the path is a file, a folder was expected', hint: 'check the path', fault: 2 },
    EEXIST: { what: 'a file is there already', hint: 'choose another path', fault: 2 },
    ENAMETOOLONG: { what: 'the name is too long for this file system', hint: 'choose a shorter one', fault: 2 },
    ELOOP: { what: 'links lead in a circle there', hint: 'check the path', fault: 2 },
    EPERM: { what: 'not permitted', hint: 'check the owner and mode of that path, or choose another' },
    EIO: { what: 'the disk could not be read or written', hint: 'check the disk, and run the same command again' },
    EADDRINUSE: {
      what: `port ${port ?? ''} is in use`.replace('  ', ' '),
      hint: 'stop the program that holds it, or choose another port',
    },
    EMFILE: { what: 'too many open files', hint: 'raise the limit with "ulimit -n 4096"' },
  };
  const parts = code === undefined ? undefined : known[code];
  return parts ? new GarnerError({ ...parts, where: at }, error) : error;
}
