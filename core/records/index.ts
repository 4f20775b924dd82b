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
export { conversations } from './conversations.ts';
export type { Conversation } from './conversations.ts';
export { judgements, VERDICTS } from './judgements.ts';
export type { Candidate, Judgement, JudgementRow, Verdict } from './judgements.ts';
export { metrics } from './metrics.ts';
export type { Metric } from './metrics.ts';
export { preferences, unpaired } from './preferences.ts';
export type { Preference, Unpaired } from './preferences.ts';
export { rollouts } from './rollouts.ts';
export type { Rollout } from './rollouts.ts';
export { column, defineTable, duckdbColumns, duckdbType, optional } from './schema.ts';
export type { Column, Columns, ColumnType, Row, Table, Turn } from './schema.ts';
