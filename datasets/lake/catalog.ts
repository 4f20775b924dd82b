import type { DuckDBConnection, DuckDBInstance, DuckDBResultReader } from '@duckdb/node-api';
import { mkdtempSync, realpathSync, rmSync, statSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { explainSystemError, GarnerError } from '../../core/errors.ts';
import { fileList, identifier, quote } from '../../core/lake/duckdb.ts';
import { currentOutputs, existingLake, recipeManifests } from '../../core/lake/lake.ts';
import { recipeManifestPath } from '../../core/lake/layout.ts';
import type { Output } from '../../core/stage/index.ts';
import { buildViews, filesOf, type SignalColumns, type View } from './views.ts';

export interface CatalogOptions {
  /** Which recipe's outputs; the one that ran last where several did. */
  recipe?: string | undefined;
  /** Also show the extracted text, which holds what was masked. */
  raw?: boolean | undefined;
  /** A file that the result may be written to, the only one. */
  writable?: string | undefined;
}

/** A locked, read-only DuckDB over the views of a lake. */
export interface Catalog {
  lake: string;
  recipe: string | null;
  /** All recipes that ran on this lake. */
  recipes: string[];
  outputs: Output[];
  views: View[];
  connection: DuckDBConnection;
  close(): void;
}

/** The recipe that a person means who names none: the one that ran last. */
export function latestRecipe(lake: string): string | null {
  const names = recipeManifests(lake).map((m) => m.name);
  const age = (name: string) => statSync(recipeManifestPath(lake, name)).mtimeMs;
  return names.toSorted((a, b) => age(b) - age(a))[0] ?? null;
}

/**
 * Opens the catalog: views over the lake's files in an in-memory DuckDB, external access off, configuration locked.
 * Reads need no lock; the catalog file of the lake is not used. Throws a GarnerError where there is no lake or no such recipe.
 */
export async function openCatalog(path: string, options: CatalogOptions = {}): Promise<Catalog> {
  const lake = realpathSync(existingLake(path));
  const recipes = recipeManifests(lake).map((m) => m.name);
  const recipe = options.recipe ?? latestRecipe(lake);
  if (options.recipe !== undefined && !recipes.includes(options.recipe)) {
    throw new GarnerError({
      what: `no recipe "${options.recipe}" was run on this lake`,
      where: path,
      hint: `its recipes: ${recipes.join(', ') || 'none yet'}`,
      fault: 2,
    });
  }
  const outputs = recipe === null ? [] : currentOutputs(lake, recipe);
  const { DuckDBInstance } = await import('@duckdb/node-api');
  const instance = await DuckDBInstance.create(':memory:', {
    threads: String(cpus().length),
    memory_limit: '1GB',
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
  });
  const connection = await instance.connect();
  const temporary = realpathSync(mkdtempSync(join(tmpdir(), 'garner-sql-')));
  const signals = await signalColumns(connection, lake, outputs);
  const views = buildViews(lake, outputs, signals, options.raw ?? false);
  // The order matters: directories cannot be allowed once external access is off, and that cannot be switched back on.
  await connection.run(`SET temp_directory=${quote(temporary)}`);
  await connection.run(`SET max_temp_directory_size='10GB'`);
  await connection.run(`SET allowed_directories=${fileList([`${lake}/`, `${temporary}/`])}`);
  if (options.writable !== undefined)
    await connection.run(`SET allowed_paths=${fileList([resolve(options.writable)])}`);
  for (const view of views) await connection.run(`CREATE VIEW ${identifier(view.name)} AS ${view.sql}`);
  for (const setting of ['allow_community_extensions=false', 'enable_external_access=false', 'lock_configuration=true'])
    await connection.run(`SET ${setting}`);
  return { lake, recipe, recipes, outputs, views, connection, close: closer(instance, connection, temporary) };
}

const closer = (instance: DuckDBInstance, connection: DuckDBConnection, temporary: string) => () => {
  connection.closeSync();
  instance.closeSync();
  rmSync(temporary, { recursive: true, force: true });
};

/** The columns of each filter's signal files: their names from the files, their meaning from the marker's facts. */
async function signalColumns(
  connection: DuckDBConnection,
  lake: string,
  outputs: readonly Output[],
): Promise<SignalColumns[]> {
  const all: SignalColumns[] = [];
  for (const output of outputs.filter((o) => o.stage === 'measure')) {
    const [file] = filesOf(lake, [output], 'signals');
    if (file === undefined) continue;
    const meanings = (output.facts['signals'] ?? {}) as Record<string, string>;
    const described = await connection.runAndReadAll(
      `DESCRIBE SELECT * EXCLUDE (document_id) FROM read_parquet(${quote(file)})`,
    );
    all.push({
      filter: output.unit,
      columns: described
        .getRows()
        .map(([name]) => ({ name: String(name as string), about: meanings[name as string] ?? '' })),
    });
  }
  return all;
}

/** Refuses everything but one SELECT, or EXPLAIN of one: in DuckDB an allowed folder is writable, so this is half of the lock. */
export async function checkStatement(connection: DuckDBConnection, sql: string): Promise<void> {
  const { StatementType } = await import('@duckdb/node-api');
  let statements;
  try {
    statements = await connection.extractStatements(sql);
  } catch (error) {
    throw sqlError(error);
  }
  if (statements.count !== 1)
    throw new GarnerError({
      what: statements.count === 0 ? 'there is no statement' : 'one statement at a time',
      where: 'sql',
      hint: 'garner sql reads: one SELECT, FROM or WITH',
      fault: 2,
    });
  let prepared;
  try {
    prepared = await statements.prepare(0);
  } catch (error) {
    throw sqlError(error);
  }
  try {
    const type = prepared.statementType;
    const body = stripComments(sql);
    const explains = type === StatementType.EXPLAIN && /^explain\s+(?:analyze\s+)?(?:select|with|from)\b/i.test(body);
    if (type !== StatementType.SELECT && !explains) {
      throw new GarnerError({
        what: 'only SELECT is allowed: the lake is read-only here',
        where: 'sql',
        hint: 'change the recipe and run it again; to write a result use --parquet, --csv or --json',
        fault: 2,
      });
    }
  } finally {
    prepared.destroySync();
  }
}

/** Leading comments and white space away, so that the word that begins a statement is seen. */
const stripComments = (sql: string): string => sql.replace(/^(?:\s+|--[^\n]*(?:\n|$)|\/\*(?:[^*]|\*(?!\/))*\*\/)+/, '');

/** DuckDB's words without its stack, as an error of the argument. */
export function sqlError(error: unknown): unknown {
  if (error instanceof GarnerError) return error;
  const message = String((error as Error).message ?? error);
  if (/INTERRUPT/.test(message)) return error;
  const [first, ...rest] = message.split('\n').filter((line) => line.trim() !== '');
  const denied = /Permission Error|file system operations are disabled|configuration has been locked/i.test(message);
  return new GarnerError(
    {
      what: first!,
      where: 'sql',
      hint: denied
        ? 'queries read the lake and nothing else'
        : rest.join('\n') || 'garner sql --tables lists tables and columns',
      fault: 2,
    },
    error,
  );
}

export interface QueryResult {
  columns: { name: string; type: string }[];
  rows: unknown[][];
  /** More rows exist than were asked for. */
  truncated: boolean;
}

/** Runs a checked query and reads up to `limit` rows as JSON values. */
export async function query(catalog: Catalog, sql: string, limit = Infinity): Promise<QueryResult> {
  await checkStatement(catalog.connection, sql);
  try {
    const result: DuckDBResultReader = await catalog.connection.streamAndReadUntil(
      sql,
      Number.isFinite(limit) ? limit + 1 : Number.MAX_SAFE_INTEGER,
    );
    const types = result.columnTypes();
    const rows = result.getRowsJson() as unknown[][];
    return {
      columns: result.columnNames().map((name, i) => ({ name, type: String(types[i]) })),
      rows: rows.slice(0, limit).map((row) => row.map((value, i) => number(value, String(types[i])))),
      truncated: rows.length > limit,
    };
  } catch (error) {
    throw sqlError(error);
  }
}

/** Whole numbers come as strings from DuckDB's JSON form; those that fit a double become numbers. */
function number(value: unknown, type: string): unknown {
  if (typeof value === 'string' && /^(?:U?BIGINT|U?HUGEINT)$/.test(type)) {
    const n = Number(value);
    return Number.isSafeInteger(n) ? n : value;
  }
  return value;
}

/** Writes the whole result of a checked query to the file that the catalog was opened for. */
export async function exportParquet(catalog: Catalog, sql: string, file: string): Promise<void> {
  await checkStatement(catalog.connection, sql);
  try {
    await catalog.connection.run(
      `COPY (${sql.trim().replace(/;\s*$/, '')}\n) TO ${quote(resolve(file))} (FORMAT parquet, COMPRESSION zstd, USE_TMP_FILE false)`,
    );
  } catch (error) {
    throw explainSystemError(sqlError(error), file);
  }
}
