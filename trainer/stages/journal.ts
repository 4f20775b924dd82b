import { closeSync, existsSync, fsyncSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import { explainSystemError } from '../../core/errors.ts';

/** Rows that are appended one by one and survive a kill: JSON lines, each with the step it belongs to. */
export interface Journal<R extends { step: number }> {
  append(row: R): void;
  /** On the disk, not only handed to the system. */
  flush(): void;
  close(): void;
}

/**
 * Opens (or creates) a journal and cuts it behind the last row of `lastStep`: later rows belong to steps that a resumed run
 * makes again, and a torn last line to a write that a kill cut short. Numbers come back to the last bit.
 */
export function openJournal<R extends { step: number }>(path: string, lastStep: number): Journal<R> {
  const { end } = wholeRows<R>(path, lastStep);
  let file: number;
  try {
    file = openSync(path, existsSync(path) ? 'r+' : 'w+');
    ftruncateSync(file, end);
  } catch (error) {
    throw explainSystemError(error, path);
  }
  let position = end;
  return {
    append(row) {
      const line = Buffer.from(`${JSON.stringify(row)}\n`);
      try {
        position += writeSync(file, line, 0, line.length, position);
      } catch (error) {
        throw explainSystemError(error, path);
      }
    },
    flush: () => fsyncSync(file),
    close: () => closeSync(file),
  };
}

/** The rows of a journal up to a step; empty where there is none. */
export const readJournal = <R extends { step: number }>(path: string, lastStep = Infinity): R[] =>
  wholeRows<R>(path, lastStep).rows;

/** Whole, readable rows from the start, up to `lastStep`, and where they end [bytes]. */
function wholeRows<R extends { step: number }>(path: string, lastStep: number): { rows: R[]; end: number } {
  const rows: R[] = [];
  let end = 0;
  if (!existsSync(path)) return { rows, end };
  const bytes = readFileSync(path);
  for (let newline = bytes.indexOf(10); newline !== -1; newline = bytes.indexOf(10, end)) {
    try {
      const row = JSON.parse(bytes.toString('utf8', end, newline)) as R;
      if (!(row.step <= lastStep)) break;
      rows.push(row);
    } catch {
      break;
    }
    end = newline + 1;
  }
  return { rows, end };
}
