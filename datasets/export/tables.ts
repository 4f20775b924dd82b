import { statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { explainSystemError } from '../../core/errors.ts';
import { freshConnection, quote } from '../../core/lake/duckdb.ts';
import { copyTo } from '../../core/lake/parquet.ts';
import { sha256File } from '../../core/hash.ts';
import type { ExportedFile } from './file.ts';

export type TableFormat = 'parquet' | 'jsonl';

const COLUMNS = 'id, text, source, url, title, language, licence';

export interface CopiedTable {
  file: ExportedFile;
  /** Rows written: each document as often as an epoch shows it. */
  documents: number;
  /** UTF-8 bytes of their texts. */
  bytes: number;
}

/**
 * One file of a snapshot as Parquet (zstd) or JSON lines, a row a document: id, text and what is known of it. DuckDB
 * streams it, so a document's text is held, never a file's.
 */
export async function copyTable(
  source: string,
  folder: string,
  format: TableFormat,
  compression: 'none' | 'zstd',
): Promise<CopiedTable> {
  const ending = format === 'parquet' ? '.parquet' : compression === 'zstd' ? '.jsonl.zst' : '.jsonl';
  const name = `${basename(source, '.parquet')}${ending}`;
  const path = join(folder, name);
  const db = await freshConnection();
  try {
    const rows = `SELECT ${COLUMNS} FROM (SELECT *, unnest(range(repeats)) FROM read_parquet(${quote(source)}))`;
    if (format === 'parquet') await copyTo(db, rows, path);
    else
      await db.run(
        `COPY (${rows}) TO ${quote(path)} (FORMAT json, COMPRESSION ${compression === 'zstd' ? 'zstd' : 'uncompressed'})`,
      );
    const counted = await db.runAndReadAll(
      `SELECT coalesce(sum(repeats), 0)::BIGINT, coalesce(sum(repeats * strlen(text)), 0)::BIGINT FROM read_parquet(${quote(source)})`,
    );
    const [documents, bytes] = counted.getRows()[0]!.map(Number) as [number, number];
    return { file: { path: name, bytes: statSync(path).size, sha256: await sha256File(path) }, documents, bytes };
  } catch (error) {
    throw /No space left/i.test(String(error)) ? explainSystemError({ code: 'ENOSPC' }, path) : error;
  } finally {
    db.closeSync();
  }
}
