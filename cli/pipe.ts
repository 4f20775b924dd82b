import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { GarnerError } from '../core/errors.ts';
import { linesOf, plainBytes, readBytes } from '../core/files.ts';
import type { Terminal } from './command.ts';

const LONGEST_LINE = 64 << 20;

/** What names a record: as the input has it, so that output can be joined to it. */
export type Id = string | number;

/** The bytes of `-`, of nothing (standard input, gunzipped where it begins as gzip does), or of a file (where its name says so). */
export const openInput = (path: string | undefined, terminal: Terminal): AsyncIterable<Uint8Array> =>
  path === undefined || path === '-'
    ? plainBytes(terminal.stdin as AsyncIterable<Uint8Array>, 'standard input')
    : readBytes(path);

export interface PipeRecord {
  id: Id;
  text?: string;
  [key: string]: unknown;
}

/**
 * JSON lines of an input, each with its `id` (the number of its line, as text, where that is neither text nor a number).
 * A line that is no JSON object, or too long, comes back as `{ id, error }`: the pipe answers it in place, so that output
 * stays in input order, and goes on.
 */
async function* readRecords(path: string | undefined, terminal: Terminal): AsyncGenerator<PipeRecord> {
  for await (const line of linesOf(openInput(path, terminal), LONGEST_LINE)) {
    if (line.tooLong) {
      yield { id: String(line.number), error: 'line_too_long' };
      continue;
    }
    if (line.text.trim() === '') continue;
    let value: unknown;
    try {
      value = JSON.parse(line.text);
    } catch {
      value = null;
    }
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      yield { id: String(line.number), error: 'not_json' };
    // A field "error" of the input would read as ours.
    else
      yield {
        ...value,
        error: undefined,
        id: idOf(value) ?? String(line.number),
      } as PipeRecord;
  }
}

function idOf(value: { id?: unknown }): Id | undefined {
  return typeof value.id === 'string' || typeof value.id === 'number' ? value.id : undefined;
}

/** One JSON line of output, with back-pressure. */
export async function writeRecord(terminal: Terminal, record: unknown): Promise<void> {
  if (!terminal.stdout.write(`${JSON.stringify(record)}\n`)) await once(terminal.stdout, 'drain');
}

function checkInput(path: string | undefined): void {
  if (path === undefined || path === '-' || existsSync(path)) return;
  throw new GarnerError({
    what: 'no such file',
    where: path,
    hint: 'name a file of JSON lines, or - for standard input',
    fault: 2,
  });
}

/** Answers each record with what `change` makes of it; bad records with their error. Returns the exit code. */
export async function pipe(
  path: string | undefined,
  terminal: Terminal,
  change: (record: PipeRecord) => unknown,
): Promise<number> {
  checkInput(path);
  for await (const record of readRecords(path, terminal)) {
    if (record['error'] !== undefined) await writeRecord(terminal, { id: record.id, error: record['error'] });
    else {
      const answer: unknown = await change(record);
      if (answer !== undefined) await writeRecord(terminal, answer);
    }
  }
  return 0;
}

/** How long a pipe waits for more records before it answers those that it has [ms]. */
const PATIENCE = 20;

/**
 * The same for work that many records share: `change` gets up to `most` of them, in order, as many as have come; so a program
 * that writes one line and waits for its answer gets it.
 */
export async function pipeMany(
  path: string | undefined,
  terminal: Terminal,
  most: number,
  change: (records: readonly PipeRecord[]) => readonly unknown[],
): Promise<number> {
  checkInput(path);
  for await (const records of inGroups(readRecords(path, terminal), most)) {
    const good = records.filter((r) => r['error'] === undefined);
    const answers = change(good);
    let next = 0;
    for (const record of records)
      await writeRecord(
        terminal,
        record['error'] === undefined ? answers[next++] : { id: record.id, error: record['error'] },
      );
  }
  return 0;
}

async function* inGroups<T>(source: AsyncGenerator<T>, most: number): AsyncGenerator<T[]> {
  let group: T[] = [];
  let coming = source.next();
  for (;;) {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<null>((resolve) => {
      timer = setTimeout(() => resolve(null), PATIENCE);
    });
    const next = group.length === 0 ? await coming : await Promise.race([coming, late]);
    clearTimeout(timer);
    if (next !== null && !next.done) {
      group.push(next.value);
      coming = source.next();
      if (group.length < most) continue;
    }
    if (group.length > 0) yield group;
    group = [];
    if (next?.done) return;
  }
}
