import type { DuckDBConnection } from '@duckdb/node-api';
import { freshConnection, quote } from '../../core/lake/duckdb.ts';
import { GarnerError, nearest } from '../../core/errors.ts';
import { stableJson } from '../../core/hash.ts';

/** Kinds of nodes that a plain expression is made of. No subqueries, windows, parameters or stars. */
const ALLOWED = new Set([
  'COLUMN_REF',
  'CONSTANT',
  'COMPARISON',
  'CONJUNCTION',
  'OPERATOR',
  'FUNCTION',
  'CAST',
  'CASE',
  'BETWEEN',
  'LAMBDA',
  'COLLATE',
]);

const SAYING: Record<string, string> = {
  SUBQUERY: 'a query inside an expression is not possible here',
  WINDOW: 'a window function is not possible here: each document is judged by itself',
  STAR: '* is not possible here: name a column',
  PARAMETER: 'a parameter is not possible here: write the value',
};

interface Node {
  class?: string;
  function_name?: string;
  [key: string]: unknown;
}

/**
 * Makes sure that a text is one SQL expression over a document and nothing else: it parses as a single condition, has no
 * subquery, and calls only functions that give the same answer each time. Throws a GarnerError (exit 2) that names `where`.
 */
export async function checkExpression(db: DuckDBConnection, expression: string, where: string): Promise<void> {
  const refuse = (what: string, hint?: string) => new GarnerError({ what, where, hint, fault: 2 });
  const parsed = await parse(db, `SELECT 1 FROM documents WHERE (${expression}\n)`);
  if (typeof parsed === 'string')
    throw refuse(
      `${JSON.stringify(expression)} is no SQL expression: ${parsed}`,
      "for example: language = 'en' and words > 100",
    );
  const frame = await parse(db, 'SELECT 1 FROM documents');
  const node = (parsed.length === 1 ? parsed[0]!.node : null) as Node | null;
  const condition = node?.['where_clause'];
  // With the condition taken out, the statement must be the frame it was put in.
  if (
    !node ||
    !condition ||
    typeof frame === 'string' ||
    bare({ ...node, where_clause: null }) !== bare(frame[0]!.node) ||
    // Who closes the parenthesis and opens another, as in `a) OR (b`, does not fit between brackets.
    typeof (await parse(db, `SELECT 1 FROM documents WHERE [${expression}\n]`)) === 'string'
  )
    throw refuse(`${JSON.stringify(expression)} is more than one SQL expression`, 'one condition, without a semicolon');
  const functions = new Set<string>();
  for (const part of nodes(condition)) {
    if (part.class !== undefined && !ALLOWED.has(part.class))
      throw refuse(SAYING[part.class] ?? `${part.class.toLowerCase()} is not possible in this expression`);
    if (part.class === 'FUNCTION' && part.function_name) functions.add(part.function_name);
  }
  const kinds = await functionKinds(db);
  for (const name of functions) {
    const kind = kinds.get(name.toLowerCase());
    if (kind === 'aggregate')
      throw refuse(`the aggregate ${name}() is not possible here: each document is judged by itself`);
    if (kind === 'unstable')
      throw refuse(`${name}() gives another answer each time`, 'the same recipe must select the same documents');
  }
}

/** An error of DuckDB over a checked expression, as an error of the recipe. */
export function expressionError(error: unknown, where: string, columns: readonly string[]): unknown {
  if (error instanceof GarnerError) return error;
  const message = String((error as Error).message ?? error).split('\n')[0]!;
  if (!/^(Binder|Conversion|Catalog|Parser|Invalid Input|Out of Range|Not implemented)/.test(message)) return error;
  const unknown = /column "([^"]+)"/.exec(message)?.[1];
  const guess = unknown === undefined ? undefined : nearest(unknown, columns);
  const hint = `${guess ? `did you mean "${guess}"? ` : ''}(columns: ${columns.join(', ')})`;
  return new GarnerError({ what: message, where, hint, fault: 2 }, error);
}

/** The statements of a text as DuckDB's own parser sees them, or what is wrong with it. */
async function parse(db: DuckDBConnection, sql: string): Promise<{ node: Node }[] | string> {
  let result;
  try {
    result = await db.runAndReadAll(`SELECT json_serialize_sql(${quote(sql)})`);
  } catch (error) {
    return String((error as Error).message).split('\n')[0]!;
  }
  const tree = JSON.parse(String(result.getRows()[0]![0])) as {
    error: boolean;
    error_message?: string;
    statements?: { node: Node }[];
  };
  return tree.error ? (tree.error_message ?? 'it does not parse') : tree.statements!;
}

/** Where a node stands in the text is no part of what it says. */
const bare = (node: unknown): string =>
  stableJson(JSON.parse(JSON.stringify(node, (key, value: unknown) => (key === 'query_location' ? undefined : value))));

function* nodes(root: unknown): Generator<Node> {
  const open: unknown[] = [root];
  while (open.length > 0) {
    const next = open.pop();
    if (typeof next !== 'object' || next === null) continue;
    if (!Array.isArray(next)) yield next as Node;
    open.push(...Object.values(next));
  }
}

/** Functions that an expression over one document must not call, and why. */
async function functionKinds(db: DuckDBConnection): Promise<Map<string, 'aggregate' | 'unstable'>> {
  const result = await db.runAndReadAll(
    `SELECT lower(function_name), bool_and(function_type = 'aggregate'), bool_or(stability <> 'CONSISTENT')
     FROM duckdb_functions() GROUP BY ALL`,
  );
  const kinds = new Map<string, 'aggregate' | 'unstable'>();
  for (const name of ['getvariable', 'getenv', 'current_setting']) kinds.set(name, 'unstable');
  for (const [name, aggregate, unstable] of result.getRows())
    if (aggregate || unstable) kinds.set(String(name), aggregate ? 'aggregate' : 'unstable');
  return kinds;
}

/** Checks each expression of a mix; before a run begins without a database. Columns are known, and checked, when it runs. */
export async function checkMix(
  mix: { where?: string | undefined; by: readonly { where: string }[] },
  database?: DuckDBConnection,
): Promise<void> {
  const db = database ?? (await freshConnection());
  try {
    if (mix.where !== undefined) await checkExpression(db, mix.where, 'mix.where');
    for (const [i, rule] of mix.by.entries()) await checkExpression(db, rule.where, `mix.by[${i}].where`);
  } finally {
    if (!database) db.closeSync();
  }
}
