import type { DuckDBConnection } from '@duckdb/node-api';
import { GarnerError } from '../../core/errors.ts';
import { quote } from '../../core/lake/duckdb.ts';

/**
 * Functions that a SELECT may not call: they change settings past the lock, write files (logs, profiles), or run SQL that
 * stands in a string and so was not looked at.
 */
const FORBIDDEN =
  /^(?:pragma_)?(?:enable_\w+|disable_\w+|force_\w+|verify_\w+|write_log|truncate_duckdb_logs|checkpoint|query|json_execute_serialized_sql|import_database|copy_database|add_parquet_key|read_duckdb|set_\w+|nextval|setseed)$/i;

/**
 * Checks that `sql` is one SELECT, or EXPLAIN of one, that only reads: in DuckDB an allowed folder is writable, so this is
 * half of the lock. Returns what to run, which is not always the text that came in: an EXPLAIN is put together again from
 * the SELECT that was checked. Throws a GarnerError (exit 2).
 */
export async function checkStatement(connection: DuckDBConnection, sql: string): Promise<string> {
  const body = afterComments(sql);
  if (!/^explain\b/i.test(body)) {
    await checkSelect(connection, body);
    return body;
  }
  let select = afterComments(body.slice('explain'.length));
  const analyze = /^analyze\b/i.test(select);
  if (analyze) select = afterComments(select.slice('analyze'.length));
  await checkSelect(connection, select);
  return `EXPLAIN ${analyze ? 'ANALYZE ' : ''}${select}`;
}

async function checkSelect(connection: DuckDBConnection, sql: string): Promise<void> {
  const { StatementType } = await import('@duckdb/node-api');
  try {
    const statements = await connection.extractStatements(sql);
    if (statements.count !== 1)
      throw new GarnerError({
        what: statements.count === 0 ? 'there is no statement' : 'one statement at a time',
        where: 'sql',
        hint: 'garner sql reads: one SELECT, FROM or WITH (a PIVOT needs its values: ON column IN (…))',
        fault: 2,
      });
    // Before anything is prepared: some functions act when they are bound.
    await checkFunctions(connection, sql);
    const prepared = await statements.prepare(0);
    try {
      if (prepared.statementType !== StatementType.SELECT) throw onlySelect();
    } finally {
      prepared.destroySync();
    }
  } catch (error) {
    throw sqlError(error);
  }
}

const onlySelect = () =>
  new GarnerError({
    what: 'only SELECT is allowed: the lake is read-only here',
    where: 'sql',
    hint: 'change the recipe and run it again; to write a result use --parquet, --csv or --json',
    fault: 2,
  });

/** Walks the syntax tree, as DuckDB itself prints it, for functions that do more than read. */
async function checkFunctions(connection: DuckDBConnection, sql: string): Promise<void> {
  const printed = await connection.runAndReadAll(`SELECT json_serialize_sql(${quote(sql)})`);
  const tree = JSON.parse(String(printed.getRows()[0]![0] as string)) as { error?: boolean; error_type?: string };
  // Not a SELECT: DuckDB prints no other.
  if (tree.error) throw onlySelect();
  const open: unknown[] = [tree];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (node === null || typeof node !== 'object') continue;
    const name = (node as { function_name?: unknown }).function_name;
    if (typeof name === 'string' && FORBIDDEN.test(name))
      throw new GarnerError({
        what: `the function ${name} is not allowed: it does more than read`,
        where: 'sql',
        hint: 'queries read the lake and nothing else',
        fault: 2,
      });
    for (const value of Object.values(node)) if (value !== null) open.push(value);
  }
}

/** SQL from its first word on: leading white space and comments, which nest in DuckDB, taken away. */
function afterComments(sql: string): string {
  let at = 0;
  for (;;) {
    while (/\s/.test(sql.charAt(at))) at++;
    if (sql.startsWith('--', at)) {
      const end = sql.indexOf('\n', at);
      at = end === -1 ? sql.length : end + 1;
    } else if (sql.startsWith('/*', at)) {
      let depth = 0;
      do {
        if (sql.startsWith('/*', at)) [depth, at] = [depth + 1, at + 2];
        else if (sql.startsWith('*/', at)) [depth, at] = [depth - 1, at + 2];
        else at++;
      } while (depth > 0 && at < sql.length);
    } else return sql.slice(at);
  }
}

/** DuckDB's words without its stack, as an error of the argument. */
export function sqlError(error: unknown): unknown {
  if (error instanceof GarnerError) return error;
  const message = String((error as Error).message ?? error);
  if (/INTERRUPT/.test(message)) return error;
  const [first, ...rest] = message.split('\n').filter((line) => line.trim() !== '');
  const [what = 'the query failed'] = [first];
  const denied = /Permission Error|file system operations are disabled|configuration has been locked/i.test(message);
  return new GarnerError(
    {
      what: what.length > 500 ? `${what.slice(0, 500)}…` : what,
      where: 'sql',
      hint: denied
        ? 'queries read the lake and nothing else'
        : rest.join('\n') || 'garner sql --tables lists tables and columns',
      fault: 2,
    },
    error,
  );
}
