import type { DuckDBAppender, DuckDBConnection, DuckDBValue } from '@duckdb/node-api';
import { explainSystemError } from '../errors.ts';
import { duckdbColumns, duckdbType, type Column, type Row, type Table, type Turn } from '../records/index.ts';
import { duckdb, fileList, freshConnection, identifier, quote } from './duckdb.ts';

/** Rows in a row group: about 64 MB of text at 3 kB a document. A multiple of DuckDB's 2,048. */
const ROW_GROUP = 20_480;

export interface TableWriter<T extends Table> {
  append(row: Row<T>): void;
  /** Writes the file. Without rows it is a file with a schema and no rows. */
  close(): Promise<void>;
  rows: number;
}

let tables = 0;

/**
 * Opens a Parquet file (zstd) for rows of `table`. Rows are held by DuckDB until close. `path` is a temporary name from
 * the task's context: DuckDB writes under that very name, and a kill may leave it half-written.
 */
export async function writeTable<T extends Table>(path: string, table: T): Promise<TableWriter<T>> {
  const types = await import('@duckdb/node-api');
  const db = await freshConnection();
  const name = `t${tables++}`;
  await db.run(`CREATE TABLE ${name} (${duckdbColumns(table)})`);
  const appender = await db.createAppender(name);
  const columns = Object.entries(table.columns);
  const writer: TableWriter<T> = {
    rows: 0,
    append(row) {
      for (const [column, spec] of columns)
        appendValue(types, appender, table.name, column, spec, (row as Record<string, unknown>)[column]);
      appender.endRow();
      writer.rows++;
      if (writer.rows % ROW_GROUP === 0) appender.flushSync();
    },
    async close() {
      appender.closeSync();
      await copyTo(db, `FROM ${name}`, path);
      db.closeSync();
    },
  };
  return writer;
}

/** COPY of a query to a Parquet file, the same bytes each time. */
export async function copyTo(db: DuckDBConnection, query: string, path: string): Promise<void> {
  try {
    await db.run(`COPY (${query}) TO ${quote(path)} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE ${ROW_GROUP})`);
  } catch (error) {
    if (/No space left/i.test(String(error))) throw explainSystemError({ code: 'ENOSPC' }, path);
    throw error;
  }
}

function appendValue(
  types: typeof import('@duckdb/node-api'),
  to: DuckDBAppender,
  table: string,
  name: string,
  spec: Column,
  value: unknown,
): void {
  if (value === null || value === undefined) {
    if (!spec.nullable) throw new Error(`${table}.${name} is null`);
    to.appendNull();
    return;
  }
  switch (spec.type) {
    case 'text':
      return to.appendVarchar(value as string);
    case 'bool':
      return to.appendBoolean(value as boolean);
    case 'int':
      return to.appendBigInt(BigInt(value as number));
    case 'float':
      return to.appendDouble(finite(table, name, value as number));
    case 'time':
      return to.appendTimestamp(new types.DuckDBTimestampValue(BigInt(Math.round(value as number)) * 1000n));
    case 'texts':
      return to.appendList(types.listValue(value as string[]), types.LIST(types.VARCHAR));
    case 'map':
      return to.appendMap(
        types.mapValue(Object.entries(value as Record<string, string>).map(([key, v]) => ({ key, value: v }))),
        types.MAP(types.VARCHAR, types.VARCHAR),
      );
    case 'ints':
      return to.appendList(types.listValue((value as number[]).map(BigInt)), types.LIST(types.BIGINT));
    case 'floats':
      return to.appendList(
        types.listValue((value as number[]).map((v) => finite(table, name, v))),
        types.LIST(types.DOUBLE),
      );
    case 'numbers':
      return to.appendMap(
        types.mapValue(
          Object.entries(value as Record<string, number>).map(([key, v]) => ({ key, value: finite(table, name, v) })),
        ),
        types.MAP(types.VARCHAR, types.DOUBLE),
      );
    case 'messages':
      return to.appendList(
        types.listValue((value as Turn[]).map(({ role, content }) => types.structValue({ role, content }))),
        types.LIST(types.STRUCT({ role: types.VARCHAR, content: types.VARCHAR })),
      );
    case 'bytes':
      return to.appendBlob(value as Uint8Array);
  }
}

/** NaN is above every number in DuckDB and below none in JavaScript: a rule would judge it differently. */
function finite(table: string, name: string, value: number): number {
  if (!Number.isFinite(value)) throw new Error(`${table}.${name} is ${value}: a number or null is expected`);
  return value;
}

/** Turns a DuckDB value into the one that `Row` promises. */
function fromDuckdb(spec: Column, value: DuckDBValue): unknown {
  if (value === null) return null;
  switch (spec.type) {
    case 'int':
      return Number(value);
    case 'time':
      return Number((value as { micros: bigint }).micros / 1000n);
    case 'texts':
    case 'floats':
      return (value as { items: unknown[] }).items;
    case 'ints':
      return (value as { items: bigint[] }).items.map(Number);
    case 'messages':
      return (value as { items: { entries: Turn }[] }).items.map(({ entries }) => entries);
    case 'map':
    case 'numbers':
      return Object.fromEntries(
        (value as { entries: { key: string; value: unknown }[] }).entries.map((e) => [e.key, e.value]),
      );
    case 'bytes':
      return (value as { bytes: Uint8Array }).bytes;
    default:
      return value;
  }
}

export interface ReadOptions<K> {
  columns?: readonly K[];
  /** SQL after FROM read_parquet(…), e.g. `WHERE outcome = 'fetched' LIMIT 10 OFFSET 20`. */
  clause?: string;
}

/** Rows of Parquet files in file order, in batches of 2,048. Files lacking a column of the table are refused by DuckDB. */
export async function* readTable<T extends Table, K extends keyof Row<T> & string = keyof Row<T> & string>(
  files: readonly string[],
  table: T,
  options: ReadOptions<K> = {},
): AsyncGenerator<Pick<Row<T>, K>[]> {
  if (files.length === 0) return;
  const names = options.columns ?? (Object.keys(table.columns) as K[]);
  const specs = names.map((name) => table.columns[name]!);
  const select = names.map((n, i) => `${identifier(n)}::${duckdbType(specs[i]!)}`).join(', ');
  yield* queryBatches(
    `SELECT ${select} FROM read_parquet(${fileList(files)}) ${options.clause ?? ''}`,
    names,
    specs,
  ) as AsyncGenerator<Pick<Row<T>, K>[]>;
}

/** The rows of any query whose columns have the given names and types, in batches of 2,048. */
export async function* queryBatches(
  sql: string,
  names: readonly string[],
  specs: readonly Column[],
): AsyncGenerator<Record<string, unknown>[]> {
  const db = await freshConnection();
  try {
    const result = await db.stream(sql);
    for (let chunk = await result.fetchChunk(); chunk && chunk.rowCount > 0; chunk = await result.fetchChunk()) {
      const columns = names.map((_, i) => chunk!.getColumnValues(i));
      yield Array.from({ length: chunk.rowCount }, (_, r) =>
        Object.fromEntries(names.map((n, i) => [n, fromDuckdb(specs[i]!, columns[i]![r]!)])),
      );
    }
  } finally {
    db.closeSync();
  }
}

/** All rows of a small query as plain objects: numbers for BIGINT, strings, null. For counts and lists, never for texts. */
export async function queryRows(sql: string): Promise<Record<string, unknown>[]> {
  const db = await duckdb();
  const result = await db.runAndReadAll(sql);
  return result
    .getRowObjects()
    .map((row) => Object.fromEntries(Object.entries(row).map(([k, v]) => [k, typeof v === 'bigint' ? Number(v) : v])));
}
