export { captures, decisions, documents, duplicates, edits, snapshot, steps, texts, tokenIndex } from './tables.ts';
export type {
  Capture,
  Decision,
  Document,
  Duplicate,
  Edit,
  EditedText,
  SnapshotDocument,
  Step,
  TokenIndexRow,
} from './tables.ts';
export { column, defineTable, duckdbColumns, duckdbType, optional } from './schema.ts';
export type { Column, Columns, ColumnType, Row, Table } from './schema.ts';
