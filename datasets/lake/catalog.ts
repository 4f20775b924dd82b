import type { DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { existsSync, mkdtempSync, readdirSync, realpathSync, rmSync, statfsSync, statSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { GarnerError } from '../../core/errors.ts';
import { fileList, identifier, quote } from '../../core/lake/duckdb.ts';
import { currentOutputs, existingLake, recipeManifests } from '../../core/lake/lake.ts';
import { recipeManifestPath } from '../../core/lake/layout.ts';
import type { Output } from '../../core/stage/index.ts';
import { buildViews, filesOf, type SignalColumns, type View } from './views.ts';

/** Where a result is written before it is whole; the catalog allows it beside the file itself. */
export const unfinished = (file: string): string => `${resolve(file)}.part`;

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
function latestRecipe(lake: string): string | null {
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
  if (options.writable !== undefined) outside(lake, options.writable);
  const { DuckDBInstance } = await import('@duckdb/node-api');
  const instance = await DuckDBInstance.create(':memory:', {
    threads: String(cpus().length),
    memory_limit: '1GB',
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
  });
  const connection = await instance.connect();
  const temporary = temporaryFolder();
  const close = closer(instance, connection, temporary);
  try {
    const views = await lockUp(connection, lake, outputs, temporary, options);
    return { lake, recipe, recipes, outputs, views, connection, close };
  } catch (error) {
    close();
    throw damaged(error, lake);
  }
}

/** Where big queries put down what does not fit memory. What killed processes left there is cleared after an hour. */
function temporaryFolder(): string {
  for (const name of readdirSync(tmpdir())) {
    const pid = Number(/^garner-sql-(\d+)-/.exec(name)?.[1] ?? 0);
    if (pid === 0 || existsSync(`/proc/${pid}`)) continue;
    const path = join(tmpdir(), name);
    const changed = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Infinity;
    if (Date.now() - changed > 3_600_000) rmSync(path, { recursive: true, force: true });
  }
  return realpathSync(mkdtempSync(join(tmpdir(), `garner-sql-${process.pid}-`)));
}

/** A result may lie anywhere but in the lake, whose files nobody writes but a run. */
function outside(lake: string, file: string): void {
  const folder = dirname(resolve(file));
  if (!existsSync(folder))
    throw new GarnerError({ what: 'there is no such folder', where: folder, hint: 'make it first', fault: 2 });
  const way = relative(lake, join(realpathSync(folder), basename(file)));
  if (way === '..' || way.startsWith('../')) return;
  throw new GarnerError({
    what: 'the file would lie in the lake',
    where: file,
    hint: 'choose a place outside: the lake is read-only here',
    fault: 2,
  });
}

/** Half of what is free, so that a query that wants more than there is fails and the disk does not fill. */
function temporarySpace(folder: string): string {
  const { bavail, bsize } = statfsSync(folder);
  return `${Math.max(1, Math.min(10_000, Math.floor((bavail * bsize) / 2e6)))}MB`;
}

/** A file that is gone or cut is the lake's fault; anything else stays what it is. */
function damaged(error: unknown, lake: string): unknown {
  const message = String((error as Error).message ?? error);
  if (!/^(?:IO|Invalid Input|HTTP) Error/.test(message)) return error;
  return new GarnerError(
    {
      what: `a file of the lake is missing or damaged: ${message.split('\n')[0]}`,
      where: lake,
      hint: 'run the recipe again: what is damaged is made anew',
    },
    error,
  );
}

/** Makes the views, then locks. The order matters: directories cannot be allowed once external access is off, and that cannot be switched back on. */
async function lockUp(
  connection: DuckDBConnection,
  lake: string,
  outputs: readonly Output[],
  temporary: string,
  options: CatalogOptions,
): Promise<View[]> {
  const signals = await signalColumns(connection, lake, outputs);
  const views = buildViews(lake, outputs, signals, options.raw ?? false);
  await connection.run(`SET temp_directory=${quote(temporary)}`);
  await connection.run(`SET max_temp_directory_size=${quote(temporarySpace(temporary))}`);
  await connection.run(`SET allowed_directories=${fileList([`${lake}/`, `${temporary}/`])}`);
  if (options.writable !== undefined)
    await connection.run(`SET allowed_paths=${fileList([resolve(options.writable), unfinished(options.writable)])}`);
  for (const view of views) await connection.run(`CREATE VIEW ${identifier(view.name)} AS ${view.sql}`);
  for (const setting of ['allow_community_extensions=false', 'enable_external_access=false', 'lock_configuration=true'])
    await connection.run(`SET ${setting}`);
  return views;
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
