import {
  closeSync,
  existsSync,
  fdatasyncSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { explainSystemError, GarnerError } from '../../core/errors.ts';
import { linesOf, readBytes, sync, temporaryName, writeAtomically } from '../../core/files.ts';
import { journalPath, judgementParts, judgementsFolder, LONGEST_JUDGEMENT } from '../../core/lake/judgements.ts';
import { lockLake } from '../../core/lake/lock.ts';
import { readTable, writeTable } from '../../core/lake/parquet.ts';
import { judgements, type Judgement } from '../../core/records/index.ts';
import { judgementOfRow, parseLine, rowOf } from './line.ts';

/** A journal over this size is compacted when it is opened [bytes]. */
const LARGE = 16 << 20;

/** The journal in the hands of its one writer. */
export interface Journal {
  lake: string;
  /** False where the id was known: nothing is written. Returns only once the line is on the disk. */
  append(line: Judgement): boolean;
  has(id: string): boolean;
  /** Lines that are no judgements: kept, read by nobody. */
  damaged: number;
  close(): void;
}

/**
 * Every judgement of a lake in the order in which they came, each id once: what was compacted, then the journal. Needs no
 * lock. `onDamage` hears of each line that is none.
 */
export async function* readJudgements(lake: string, onDamage = () => {}): AsyncGenerator<Judgement> {
  const seen = new Set<string>();
  const fresh = (id: string) => !seen.has(id) && seen.add(id);
  for (const part of judgementParts(lake))
    for await (const rows of readTable([part], judgements))
      for (const row of rows) if (fresh(row.id)) yield judgementOfRow(row);
  if (!existsSync(journalPath(lake))) return;
  for await (const { text, tooLong } of linesOf(readBytes(journalPath(lake)), 2 * LONGEST_JUDGEMENT)) {
    const line = tooLong ? null : parseLine(text);
    if (!line) onDamage();
    else if (fresh(line.id)) yield line;
  }
}

/**
 * Opens the journal for writing and gives every judgement so far to `each`. A last line that a kill cut off was never
 * confirmed to anyone and is taken away. Throws a GarnerError where another process writes it.
 */
export async function openJournal(lake: string, each: (line: Judgement) => void = () => {}): Promise<Journal> {
  const folder = judgementsFolder(lake);
  try {
    mkdirSync(folder, { recursive: true });
  } catch (error) {
    throw explainSystemError(error, folder);
  }
  const lock = await lockLake(folder, {
    wait: false,
    held: (holder) => ({
      what: `the judgements are being written by ${holder}`,
      where: folder,
      hint: 'open the page that it serves, or stop it; reading (sql, rank export) need not wait',
    }),
  });
  try {
    const path = journalPath(lake);
    const isNew = !existsSync(path);
    if (!isNew) mendEnd(path);
    if (!isNew && statSync(path).size > LARGE) await compactParts(lake);
    const ids = new Set<string>();
    let damaged = 0;
    for await (const line of readJudgements(lake, () => damaged++)) {
      ids.add(line.id);
      each(line);
    }
    const fd = openSync(path, 'a');
    if (isNew) await sync(folder);
    return {
      lake,
      damaged,
      has: (id) => ids.has(id),
      append(line) {
        if (ids.has(line.id)) return false;
        appendSynced(fd, path, `${JSON.stringify(line)}\n`);
        ids.add(line.id);
        return true;
      },
      close() {
        closeSync(fd);
        lock.release();
      },
    };
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** A whole line on the disk, or none of it. */
function appendSynced(fd: number, path: string, text: string): void {
  const { size: before, nlink } = fstatSync(fd);
  if (nlink === 0)
    throw new GarnerError({
      what: 'the journal was removed or replaced while it was open',
      where: path,
      hint: 'put it back and start the page again: it sends what is not stored yet',
    });
  try {
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at);
    fdatasyncSync(fd);
  } catch (error) {
    ftruncateSync(fd, before);
    throw explainSystemError(error, path);
  }
}

/** Cuts a last line without its end, unless it is whole but for the line feed. */
function mendEnd(path: string): void {
  const fd = openSync(path, 'r+');
  try {
    const { size } = fstatSync(fd);
    const start = lastLineStart(fd, size);
    if (start === size) return;
    const tail = Buffer.alloc(size - start);
    readSync(fd, tail, 0, tail.length, start);
    if (parseLine(tail.toString('utf8'))) writeSync(fd, '\n', size);
    else ftruncateSync(fd, start);
    fdatasyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Where the unfinished last line begins; the size where the file ends with a line feed. */
function lastLineStart(fd: number, size: number): number {
  const block = Buffer.alloc(1 << 16);
  for (let end = size; end > 0;) {
    const from = Math.max(0, end - block.length);
    readSync(fd, block, 0, end - from, from);
    const at = block.subarray(0, end - from).lastIndexOf(10);
    if (at !== -1) return from + at + 1;
    end = from;
  }
  return 0;
}

/** Moves the journal's lines into a Parquet file; returns how many. Takes the journal's lock. */
export async function compact(lake: string): Promise<number> {
  const journal = await openJournal(lake);
  try {
    return await compactParts(lake);
  } finally {
    journal.close();
  }
}

/**
 * The new part is whole before the journal is emptied: a kill between leaves lines in both, and readers count an id once. A
 * journal with lines that are no judgements is laid aside as it is, for a person to look at.
 */
async function compactParts(lake: string): Promise<number> {
  const parts = judgementParts(lake);
  const known = new Set<string>();
  for (const part of parts)
    for await (const rows of readTable([part], judgements, { columns: ['id'] }))
      for (const { id } of rows) known.add(id);
  const next = Number(/(\d+)\.parquet$/.exec(parts.at(-1) ?? '')?.[1] ?? -1) + 1;
  const path = join(judgementsFolder(lake), `part-${String(next).padStart(5, '0')}.parquet`);
  const unfinished = temporaryName(path);
  const writer = await writeTable(unfinished, judgements);
  let damaged = false;
  for await (const { text, tooLong } of linesOf(readBytes(journalPath(lake)), 2 * LONGEST_JUDGEMENT)) {
    const line = tooLong ? null : parseLine(text);
    damaged ||= line === null;
    if (!line || known.has(line.id)) continue;
    known.add(line.id);
    writer.append(rowOf(line));
  }
  try {
    await writer.close();
    if (writer.rows > 0) {
      await sync(unfinished);
      renameSync(unfinished, path);
      await sync(judgementsFolder(lake));
    }
  } finally {
    rmSync(unfinished, { force: true });
  }
  if (damaged) layAside(lake);
  await writeAtomically(journalPath(lake), '');
  await sync(judgementsFolder(lake));
  return writer.rows;
}

function layAside(lake: string): void {
  let number = 0;
  const name = () => join(judgementsFolder(lake), `damaged-${String(number).padStart(5, '0')}.jsonl`);
  while (existsSync(name())) number++;
  renameSync(journalPath(lake), name());
}
