import { createReadStream } from 'node:fs';
import { documentId } from '../../core/hash.ts';
import { isGzip, linesOf, readBytes } from '../../core/files.ts';
import type { InputFile } from './files.ts';
import { documentOf, type ColumnNames, type FileRecord } from './record.ts';

/** A longer line is refused, not held in memory [bytes]. */
const LONGEST_LINE = 64 << 20;

/** A run of whole lines of a file. */
export interface LineRange {
  /** First byte. */
  from: number;
  /** Byte after the last one; null for the end. */
  to: number | null;
  /** Number of the first line, counted from 1. */
  line: number;
}

/** The whole file. */
export const WHOLE: LineRange = { from: 0, to: null, line: 1 };

/** JSON lines with `text`, and `id` or `url` if there is one (datatrove, Dolma and OSCAR write these). Blank lines are passed over. */
export async function* readJsonl(
  file: InputFile,
  columns: ColumnNames,
  source: string,
  range: LineRange = WHOLE,
): AsyncGenerator<FileRecord> {
  const bytes =
    range.from === 0 && range.to === null
      ? readBytes(file.path)
      : createReadStream(file.path, {
          start: range.from,
          ...(range.to === null ? {} : { end: range.to - 1 }),
          highWaterMark: 1 << 20,
        });
  for await (const line of linesOf(bytes, LONGEST_LINE)) {
    const number = range.line + line.number - 1;
    const location = `${file.name}:${number}`;
    const refuse = (reason: string, evidence?: string): FileRecord => ({
      reason,
      location,
      id: documentId(source, location),
      ...(evidence ? { evidence } : {}),
    });
    if (line.tooLong) {
      yield refuse('line_too_long');
      continue;
    }
    if (line.text.trim() === '') continue;
    let value: unknown;
    try {
      value = JSON.parse(line.text);
    } catch (error) {
      yield refuse('not_json', (error as Error).message.replace(/".*/s, '').slice(0, 80));
      continue;
    }
    if (typeof value !== 'object' || value === null || Array.isArray(value)) yield refuse('not_json', 'no object');
    else yield documentOf(value as Record<string, unknown>, columns, source, file, number);
  }
}

/** Cuts a plain file at line ends into ranges of about `bytes`; a gzip file is one range. Reads the file once. */
export async function lineRanges(file: InputFile, bytes: number): Promise<LineRange[]> {
  if (isGzip(file.path) || file.bytes <= bytes) return [WHOLE];
  const ranges: LineRange[] = [];
  let from = 0;
  let at = 0;
  let first = 1;
  let line = 1;
  for await (const chunk of createReadStream(file.path, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>) {
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, end + 1)) {
      line++;
      if (at + end + 1 - from < bytes) continue;
      ranges.push({ from, to: at + end + 1, line: first });
      [from, first] = [at + end + 1, line];
    }
    at += chunk.length;
  }
  if (from < at) ranges.push({ from, to: null, line: first });
  return ranges;
}
