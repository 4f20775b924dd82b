import { GarnerError } from '../../core/errors.ts';
import { fileList, freshConnection, identifier } from '../../core/lake/duckdb.ts';
import type { InputFile } from './files.ts';
import { documentOf, type ColumnNames, type FileRecord } from './record.ts';

/** A run of rows, counted from 0. */
export interface RowRange {
  from: number;
  /** Row after the last one; null for the end. */
  to: number | null;
}

/** The whole file. */
export const ALL_ROWS: RowRange = { from: 0, to: null };

/** Parquet rows with a text column; the other columns become metadata, as text. */
export async function* readParquet(
  file: InputFile,
  columns: ColumnNames,
  source: string,
  range: RowRange = ALL_ROWS,
): AsyncGenerator<FileRecord> {
  const db = await freshConnection();
  try {
    const from = `read_parquet(${fileList([file.path])}, file_row_number = true)`;
    const described = await query(db, file, `DESCRIBE SELECT * FROM read_parquet(${fileList([file.path])})`);
    const names = described.map((row) => String(row['column_name']));
    for (const [kind, name] of Object.entries(columns)) {
      if (name !== undefined && !names.includes(name)) {
        throw new GarnerError({
          what: `there is no column "${name}"`,
          where: file.path,
          hint: `set "${kind}:" beside the path in the recipe to one of its columns: ${names.slice(0, 40).join(', ')}`,
          fault: 2,
        });
      }
    }
    const select = names.map((n, i) => `${valueSql(n, String(described[i]!['column_type']))} AS c${i}`).join(', ');
    const until = range.to === null ? '' : ` AND file_row_number < ${range.to}`;
    const result = await db
      .stream(`SELECT file_row_number AS row, ${select} FROM ${from} WHERE file_row_number >= ${range.from}${until}`)
      .catch((error: unknown) => {
        throw damaged(file, error);
      });
    for (;;) {
      const chunk = await result.fetchChunk().catch((error: unknown) => {
        throw damaged(file, error);
      });
      if (!chunk || chunk.rowCount === 0) return;
      const rows = chunk.getRows();
      for (const row of rows) {
        const record = Object.fromEntries(names.map((n, i) => [n, row[i + 1]]));
        yield documentOf(record, columns, source, file, Number(row[0]) + 1);
      }
    }
  } finally {
    db.closeSync();
  }
}

/** Lists and structs as JSON, bytes not at all, everything else as text. */
function valueSql(name: string, type: string): string {
  const column = identifier(name);
  if (type === 'VARCHAR') return column;
  if (type === 'BLOB') return 'NULL';
  return /[[(]/.test(type) && !type.startsWith('DECIMAL') ? `to_json(${column})::VARCHAR` : `${column}::VARCHAR`;
}

/** Cuts a file at row groups into ranges of about `bytes` (uncompressed). */
export async function rowRanges(file: InputFile, bytes: number): Promise<RowRange[]> {
  const db = await freshConnection();
  try {
    const groups = await query(
      db,
      file,
      `SELECT row_group_id, any_value(row_group_num_rows)::DOUBLE AS rows, sum(total_uncompressed_size)::DOUBLE AS bytes
       FROM parquet_metadata(${fileList([file.path])}) GROUP BY row_group_id ORDER BY row_group_id`,
    );
    const ranges: RowRange[] = [];
    let [from, row, size] = [0, 0, 0];
    for (const g of groups) {
      row += Number(g['rows']);
      size += Number(g['bytes']);
      if (size < bytes) continue;
      ranges.push({ from, to: row });
      [from, size] = [row, 0];
    }
    if (row > from || ranges.length === 0) ranges.push({ from, to: null });
    else ranges.at(-1)!.to = null;
    return ranges;
  } finally {
    db.closeSync();
  }
}

async function query(
  db: Awaited<ReturnType<typeof freshConnection>>,
  file: InputFile,
  sql: string,
): Promise<Record<string, unknown>[]> {
  try {
    return (await db.runAndReadAll(sql)).getRowObjects() as Record<string, unknown>[];
  } catch (error) {
    throw damaged(file, error);
  }
}

const damaged = (file: InputFile, error: unknown): GarnerError =>
  new GarnerError(
    {
      what: `this is no Parquet file, or it is damaged (${String((error as Error).message)
        .split('\n')[0]!
        .slice(0, 160)})`,
      where: file.path,
      hint: 'download or copy it again, or say what it is with type: beside the path',
    },
    error,
  );
