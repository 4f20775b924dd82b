import type { DuckDBConnection, DuckDBValue } from '@duckdb/node-api';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileList, quote } from '../core/lake/duckdb.ts';

/** A database of one task: on disk, so that tables larger than its memory spill, and gone when the task ends. */
export interface Scratch {
  db: DuckDBConnection;
  /** Another connection to it: to write while the first one streams. */
  connect: () => Promise<DuckDBConnection>;
  /** From here on no file outside these folders and no network, and no way back: before SQL that a recipe brought. */
  lock: (folders: readonly string[]) => Promise<void>;
  close: () => void;
}

/** Opens an empty database in a folder that is the task's own. One thread, so that what it writes has the same bytes each time. */
export async function openScratch(folder: string, memory = '512MB'): Promise<Scratch> {
  const { DuckDBInstance } = await import('@duckdb/node-api');
  const remove = () => {
    for (const name of ['scratch.duckdb', 'scratch.duckdb.wal', 'spill'])
      rmSync(join(folder, name), { recursive: true, force: true });
  };
  remove();
  const instance = await DuckDBInstance.create(':memory:', {
    threads: '1',
    memory_limit: memory,
    temp_directory: join(folder, 'spill'),
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
  });
  const open: DuckDBConnection[] = [];
  const connect = async () => {
    const connection = await instance.connect();
    // Small row groups: a whole one with its texts is held, beside the limit, while it is compressed.
    if (open.length === 0)
      await connection.run(`ATTACH ${quote(join(folder, 'scratch.duckdb'))} AS scratch (ROW_GROUP_SIZE 8192)`);
    await connection.run('USE scratch');
    open.push(connection);
    return connection;
  };
  const db = await connect();
  return {
    db,
    connect,
    async lock(folders) {
      await db.run(`SET allowed_directories=${fileList([...folders, folder].map((f) => `${f}/`))}`);
      for (const setting of [
        'allow_community_extensions=false',
        'enable_external_access=false',
        'lock_configuration=true',
      ])
        await db.run(`SET ${setting}`);
    },
    close() {
      for (const connection of open) connection.closeSync();
      instance.closeSync();
      remove();
    },
  };
}

/** The rows of a query as arrays of values, in batches of 2,048, never all at once. */
export async function* stream(db: DuckDBConnection, sql: string): AsyncGenerator<DuckDBValue[][]> {
  const result = await db.stream(sql);
  for (let chunk = await result.fetchChunk(); chunk && chunk.rowCount > 0; chunk = await result.fetchChunk())
    yield chunk.getRows();
}

/** The first value of a query's first row, as a number. */
export async function scalar(db: DuckDBConnection, sql: string): Promise<number> {
  const result = await db.runAndReadAll(sql);
  return Number(result.getRows()[0]?.[0] ?? 0);
}
