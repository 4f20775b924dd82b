/** What a column can hold. Each maps to one TypeScript, one DuckDB and one Arrow type. */
export type ColumnType =
  | 'text'
  | 'int'
  | 'float'
  | 'bool'
  | 'time'
  | 'texts'
  | 'ints'
  | 'floats'
  | 'map'
  | 'numbers'
  | 'messages'
  | 'bytes';

/** One turn of a conversation. */
export type Turn = { role: string; content: string };

interface Values {
  text: string;
  /** A whole number within ±2^53; BIGINT in SQL. */
  int: number;
  float: number;
  bool: boolean;
  /** Milliseconds since 1970 UTC; TIMESTAMP in SQL. */
  time: number;
  texts: string[];
  ints: number[];
  floats: number[];
  map: Record<string, string>;
  numbers: Record<string, number>;
  messages: Turn[];
  bytes: Uint8Array;
}

export interface Column<T extends ColumnType = ColumnType, N extends boolean = boolean> {
  type: T;
  nullable: N;
  /** Meaning and [unit]; shown by `garner sql --tables`. */
  about: string;
}

export type Columns = Record<string, Column>;

/** A record's schema: the one source of its TypeScript type (`Row`), its DuckDB types and its documentation. */
export interface Table<C extends Columns = Columns> {
  name: string;
  about: string;
  columns: C;
}

/** The row type of a table. */
export type Row<T extends Table> = {
  [K in keyof T['columns']]: T['columns'][K] extends Column<infer V, infer N>
    ? Values[V] | (N extends true ? null : never)
    : never;
};

/** A column that always has a value. */
export const column = <T extends ColumnType>(type: T, about: string): Column<T, false> => ({
  type,
  nullable: false,
  about,
});
/** A column whose value may be null. */
export const optional = <T extends ColumnType>(type: T, about: string): Column<T, true> => ({
  type,
  nullable: true,
  about,
});
/** Keeps the types of a table where it is written. */
export const defineTable = <C extends Columns>(table: Table<C>): Table<C> => table;

const DUCKDB: Record<ColumnType, string> = {
  text: 'VARCHAR',
  int: 'BIGINT',
  float: 'DOUBLE',
  bool: 'BOOLEAN',
  time: 'TIMESTAMP',
  texts: 'VARCHAR[]',
  ints: 'BIGINT[]',
  floats: 'DOUBLE[]',
  map: 'MAP(VARCHAR, VARCHAR)',
  numbers: 'MAP(VARCHAR, DOUBLE)',
  messages: 'STRUCT("role" VARCHAR, "content" VARCHAR)[]',
  bytes: 'BLOB',
};

/** The DuckDB type of a column. */
export const duckdbType = (c: Column): string => DUCKDB[c.type];

/** `"id" VARCHAR, …` for CREATE TABLE. */
export const duckdbColumns = (table: Table): string =>
  Object.entries(table.columns)
    .map(([name, c]) => `"${name}" ${duckdbType(c)}`)
    .join(', ');
