import { renameSync, rmSync } from 'node:fs';
import { resolve } from 'node:path';
import { explainSystemError } from '../../core/errors.ts';
import { quote } from '../../core/lake/duckdb.ts';
import { unfinished, type Catalog } from './catalog.ts';
import { checkStatement, sqlError } from './statement.ts';

interface ResultColumn {
  name: string;
  type: string;
  /** Differs from every other column's: `a` and `a:1` for `select 1 as a, 2 as a`. */
  unique: string;
}

export interface RowStream {
  columns: ResultColumn[];
  /** Rows as JSON values, some two thousand at a time, as the query yields them. */
  batches: AsyncGenerator<unknown[][]>;
}

/** Runs a checked query whose rows are never all held. Throws a GarnerError for what DuckDB refuses, now or between batches. */
export async function stream(catalog: Catalog, sql: string): Promise<RowStream> {
  const checked = await checkStatement(catalog.connection, sql);
  try {
    const result = await catalog.connection.stream(checked);
    const types = result.columnTypes().map(String);
    const unique = result.deduplicatedColumnNames();
    const batches = async function* (): AsyncGenerator<unknown[][]> {
      try {
        for await (const rows of result.yieldRowsJson())
          yield (rows as unknown[][]).map((row) => row.map((value, i) => number(value, types[i]!)));
      } catch (error) {
        throw sqlError(error);
      }
    };
    return {
      columns: result.columnNames().map((name, i) => ({ name, type: types[i]!, unique: unique[i]! })),
      batches: batches(),
    };
  } catch (error) {
    throw sqlError(error);
  }
}

export interface QueryResult {
  columns: ResultColumn[];
  rows: unknown[][];
  /** More rows exist than were asked for. */
  truncated: boolean;
}

/** Runs a checked query and reads up to `limit` rows as JSON values. */
export async function query(catalog: Catalog, sql: string, limit = Infinity): Promise<QueryResult> {
  const { columns, batches } = await stream(catalog, sql);
  const rows: unknown[][] = [];
  for await (const batch of batches) {
    for (const row of batch) rows.push(row);
    if (rows.length > limit) break;
  }
  return { columns, rows: rows.slice(0, limit), truncated: rows.length > limit };
}

/** Whole numbers come as strings from DuckDB's JSON form; those that fit a double become numbers. */
function number(value: unknown, type: string): unknown {
  if (typeof value === 'string' && /^(?:U?BIGINT|U?HUGEINT)$/.test(type)) {
    const n = Number(value);
    return Number.isSafeInteger(n) ? n : value;
  }
  return value;
}

/** Writes the whole result of a checked query to the file that the catalog was opened for, or nothing. */
export async function exportParquet(catalog: Catalog, sql: string, file: string): Promise<void> {
  const checked = await checkStatement(catalog.connection, sql);
  const part = unfinished(file);
  try {
    await catalog.connection.run(
      `COPY (${checked.trim().replace(/;\s*$/, '')}\n) TO ${quote(part)} (FORMAT parquet, COMPRESSION zstd, USE_TMP_FILE false)`,
    );
    renameSync(part, resolve(file));
  } catch (error) {
    rmSync(part, { force: true });
    throw explainSystemError(sqlError(error), file);
  }
}
