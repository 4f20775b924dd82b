import { basename } from 'node:path';
import { GarnerError } from '../../core/errors.ts';
import { linesOf, readBytes } from '../../core/files.ts';
import { documentId } from '../../core/hash.ts';
import { freshConnection, quote } from '../../core/lake/duckdb.ts';
import type { Decision } from '../../core/records/index.ts';
import { isRefusal, type Place, type Shaped } from './shapes.ts';

/** A record of a file that could not be read as what was asked for. */
export interface Refused {
  /** File and record, counted from 1. */
  location: string;
  reason: string;
}

/** Longer lines are refused, not held [bytes]. */
const LONGEST_LINE = 16 << 20;

/**
 * Every record of a JSON lines (also .gz) or Parquet file under a shape (`conversationOf`, `preferenceOf` …), in file order.
 * Throws a GarnerError for a file that cannot be read; a bad record is a value.
 */
export async function* readShaped<T extends object>(
  path: string,
  shape: (value: unknown, place: Place) => Shaped<T>,
): AsyncGenerator<{ record: T } | { refused: Refused }> {
  const name = basename(path);
  const source = name.replace(/\.(?:jsonl|json|ndjson|parquet)(?:\.gz)?$/i, '');
  for await (const { number, value, fault } of values(path)) {
    const location = `${name}:${number}`;
    const found = fault === null ? shape(value, { source, location }) : { reason: fault };
    yield isRefusal(found) ? { refused: { location, reason: found.reason } } : { record: found };
  }
}

/** The same as lists: for files that fit memory. */
export async function readAllShaped<T extends object>(
  path: string,
  shape: (value: unknown, place: Place) => Shaped<T>,
): Promise<{ records: T[]; refused: Refused[] }> {
  const records: T[] = [];
  const refused: Refused[] = [];
  for await (const found of readShaped(path, shape)) {
    if ('record' in found) records.push(found.record);
    else refused.push(found.refused);
  }
  return { records, refused };
}

/** A refused record as a row of the decisions. */
export const refusalDecision = (stage: string, { location, reason }: Refused): Decision => ({
  subject_id: documentId(stage, location),
  stage,
  rule: reason,
  filter: null,
  signal: null,
  value: null,
  label: null,
  threshold: null,
  verdict: 'refuse',
  evidence: location,
});

interface Value {
  /** Counted from 1. */
  number: number;
  value: unknown;
  fault: string | null;
}

const values = (path: string) => (/\.parquet$/i.test(path) ? parquetValues(path) : lineValues(path));

async function* lineValues(path: string): AsyncGenerator<Value> {
  for await (const { number, text, tooLong } of linesOf(readBytes(path), LONGEST_LINE)) {
    if (tooLong) yield { number, value: null, fault: 'line_too_long' };
    else if (text.trim() !== '') yield { number, ...parsed(text) };
  }
}

function parsed(text: string): { value: unknown; fault: string | null } {
  try {
    const value: unknown = JSON.parse(text);
    return value !== null && typeof value === 'object'
      ? { value, fault: null }
      : { value, fault: typeof value === 'string' ? null : 'not_a_record' };
  } catch {
    return { value: null, fault: 'not_json' };
  }
}

/** Rows as JSON values, streamed. */
async function* parquetValues(path: string): AsyncGenerator<Value> {
  const db = await freshConnection();
  try {
    const result = await db.stream(`SELECT to_json(t)::VARCHAR FROM read_parquet(${quote(path)}) t`);
    let number = 0;
    for (let chunk = await result.fetchChunk(); chunk && chunk.rowCount > 0; chunk = await result.fetchChunk())
      for (const text of chunk.getColumnValues(0)) yield { number: ++number, ...parsed(String(text as string)) };
  } catch (error) {
    const message = String((error as Error).message).split('\n')[0]!;
    throw new GarnerError({ what: message, where: path, hint: 'a Parquet file is expected', fault: 2 }, error);
  } finally {
    db.closeSync();
  }
}
