import type { DuckDBConnection } from '@duckdb/node-api';

let connection: Promise<DuckDBConnection> | undefined;

/** This process's shared connection, for small questions one after another. */
export function duckdb(): Promise<DuckDBConnection> {
  connection ??= freshConnection();
  return connection;
}

/**
 * An in-memory DuckDB of its own, for a table or a stream that must not disturb another: one thread, so that the files it
 * writes have the same bytes each time. The caller closes it.
 */
export async function freshConnection(): Promise<DuckDBConnection> {
  const { DuckDBInstance } = await import('@duckdb/node-api');
  const instance = await DuckDBInstance.create(':memory:', {
    threads: '1',
    memory_limit: '512MB',
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
  });
  return instance.connect();
}

/** A string literal of SQL. */
export const quote = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/** An identifier of SQL. */
export const identifier = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** `['a', 'b']` for read_parquet. */
export const fileList = (files: readonly string[]): string => `[${files.map(quote).join(', ')}]`;
