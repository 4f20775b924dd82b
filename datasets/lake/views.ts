import { join } from 'node:path';
import { domainSql, wordsSql } from '../../core/lake/expressions.ts';
import { fileList, identifier, quote } from '../../core/lake/duckdb.ts';
import {
  captures,
  column,
  conversations,
  decisions,
  defineTable,
  documents,
  duplicates,
  duckdbType,
  edits,
  metrics,
  preferences,
  rollouts,
  snapshot,
  steps,
  texts,
  tokenIndex,
  type Table,
} from '../../core/records/index.ts';
import { judgementsView } from './judgement-views.ts';
import type { Output } from '../../core/stage/index.ts';

/** A view of the catalog: its SQL, and the meaning of each column for `garner sql --tables`. */
export interface View {
  name: string;
  about: string;
  sql: string;
  columns: { name: string; about: string }[];
}

/** Order in which stages may drop a document: the first drop is its reason. */
const DROPPING = ['judge', 'dedup', 'mix'];

/** Absolute paths of all files that outputs have in a folder. */
export const filesOf = (lake: string, outputs: readonly Output[], folder: string): string[] =>
  outputs.flatMap((o) =>
    o.files.filter((f) => f.folder === folder && f.path.endsWith('.parquet')).map((f) => join(lake, f.path)),
  );

const documented = (table: Table) => Object.entries(table.columns).map(([name, c]) => ({ name, about: c.about }));

/** No rows with a table's columns. */
const noRows = (table: Table): string =>
  `SELECT ${Object.entries(table.columns)
    .map(([name, c]) => `NULL::${duckdbType(c)} AS ${identifier(name)}`)
    .join(', ')} WHERE false`;

/** Rows of a table's files, with `file_row_number` where `numbered`; no rows with the same columns where there are none. */
function rowsOf(lake: string, outputs: readonly Output[], folder: string, table: Table, numbered = false): string {
  const files = filesOf(lake, outputs, folder);
  if (files.length > 0)
    return `SELECT * FROM read_parquet(${fileList(files)}, union_by_name = true, file_row_number = ${numbered})`;
  return numbered ? `SELECT *, 0::BIGINT AS file_row_number FROM (${noRows(table)})` : noRows(table);
}

const simple = (lake: string, outputs: readonly Output[], folder: string, table: Table, name = table.name): View => ({
  name,
  about: table.about,
  sql: rowsOf(lake, outputs, folder, table),
  columns: documented(table),
});

/** Signal columns of each measured filter, as the marker of its output names them. */
export interface SignalColumns {
  filter: string;
  columns: { name: string; about: string }[];
}

/**
 * The views over one recipe's outputs. `documents` has the edited text; the extracted one is in `documents_extracted`,
 * which is there with `raw` only, since it still holds what was masked.
 */
export function buildViews(
  lake: string,
  outputs: readonly Output[],
  signals: readonly SignalColumns[],
  raw: boolean,
): View[] {
  const language = signals.find((s) => s.filter === 'language')?.columns.some((c) => c.name === 'language');
  return [
    simple(lake, outputs, 'captures', captures),
    documentsView(lake, outputs, language ?? false),
    ...(raw
      ? [
          {
            ...simple(lake, outputs, 'documents', documents, 'documents_extracted'),
            about: 'Extracted text before any edit: it holds what was masked.',
          },
        ]
      : []),
    signalsView(lake, outputs, signals),
    simple(lake, outputs, 'decisions', decisions),
    simple(lake, outputs, 'edits', edits),
    simple(lake, outputs, 'duplicates', duplicates),
    simple(lake, outputs, 'snapshots', snapshot),
    snapshotsView(outputs),
    simple(lake, outputs, 'shards', tokenIndex),
    simple(lake, outputs, 'runs', steps),
    simple(lake, outputs, 'metrics', metrics),
    simple(lake, outputs, 'conversations', conversations),
    simple(lake, outputs, 'preferences', preferences),
    simple(lake, outputs, 'rollouts', rollouts),
    judgementsView(lake),
    stagesView(outputs),
  ];
}

function documentsView(lake: string, outputs: readonly Output[], identified: boolean): View {
  const order = DROPPING.map((stage, i) => `WHEN ${quote(stage)} THEN ${i}`).join(' ');
  const languages = filesOf(
    lake,
    outputs.filter((o) => o.unit === 'language'),
    'signals',
  );
  const sql = `WITH drops AS (
      SELECT subject_id, min_by(rule, [CASE stage ${order} ELSE 9 END, file_row_number]) AS reason
      FROM (${rowsOf(lake, outputs, 'decisions', decisions, true)}) WHERE verdict = 'drop' GROUP BY subject_id)
    SELECT d.id, d.url, ${domainSql('d.url')} AS domain, d.source,
      coalesce(t.title, d.title) AS title, coalesce(t.author, d.author) AS author, d.published,
      ${identified ? 'coalesce(l.language, d.language)' : 'd.language'} AS language, d.licence,
      ${wordsSql('coalesce(t.text, d.text)')} AS words, length(coalesce(t.text, d.text)) AS characters,
      strlen(coalesce(t.text, d.text)) AS bytes, x.subject_id IS NULL AS keep, x.reason, t.document_id IS NOT NULL AS edited,
      d.capture_id, d.location, coalesce(t.metadata, d.metadata) AS metadata, coalesce(t.text, d.text) AS text
    FROM (${rowsOf(lake, outputs, 'documents', documents)}) d
    LEFT JOIN (${rowsOf(lake, outputs, 'texts', texts)}) t ON t.document_id = d.id
    LEFT JOIN drops x ON x.subject_id = d.id
    ${identified ? `LEFT JOIN read_parquet(${fileList(languages)}) l ON l.document_id = d.id` : ''}`;
  const about: Record<string, string> = {
    ...Object.fromEntries(documented(documents).map((c) => [c.name, c.about])),
    domain: 'host of the URL, without www.',
    language: 'language as identified, else as stated',
    words: 'runs without white space; each Han or Kana character counts for itself [count]',
    characters: 'length of the edited text [code points]',
    bytes: 'its UTF-8 length [bytes]',
    keep: 'nothing dropped it',
    reason: 'the first rule that dropped it, NULL where it is kept',
    edited: 'the text has edits',
    text: 'edited text: masked, cut',
  };
  const names =
    'id url domain source title author published language licence words characters bytes keep reason edited capture_id location metadata text'.split(
      ' ',
    );
  return {
    name: 'documents',
    about: 'Every document with its edited text and whether it is kept.',
    sql,
    columns: names.map((name) => ({ name, about: about[name] ?? '' })),
  };
}

function signalsView(lake: string, outputs: readonly Output[], signals: readonly SignalColumns[]): View {
  const measured = signals
    .map((s) => ({
      ...s,
      files: filesOf(
        lake,
        outputs.filter((o) => o.unit === s.filter),
        'signals',
      ),
    }))
    .filter((s) => s.files.length > 0 && s.columns.length > 0);
  const columns = measured.flatMap((s) => s.columns.map((c) => ({ name: `${s.filter}.${c.name}`, about: c.about })));
  const structs = measured.map(
    (s, i) =>
      `, {${s.columns.map((c) => `${quote(c.name)}: s${i}.${identifier(c.name)}`).join(', ')}} AS ${identifier(s.filter)}`,
  );
  const joins = measured.map(
    (s, i) => `LEFT JOIN read_parquet(${fileList(s.files)}) s${i} ON s${i}.document_id = d.id`,
  );
  const sql = `SELECT d.id AS document_id${structs.join('')} FROM (${rowsOf(lake, outputs, 'documents', documents)}) d ${joins.join(' ')}`;
  return {
    name: 'signals',
    about: 'What was measured on each document: one struct column a filter.',
    sql,
    columns: [{ name: 'document_id', about: 'document' }, ...columns],
  };
}

/** A view over values that are at hand already: what the markers say. */
function inlineView(table: Table, rows: readonly (string | number)[][]): View {
  const values = rows.map(
    (row) => `(${row.map((cell) => (typeof cell === 'string' ? quote(cell) : cell)).join(', ')})`,
  );
  const names = Object.keys(table.columns).map(identifier).join(', ');
  const sql = rows.length > 0 ? `SELECT * FROM (VALUES ${values.join(', ')}) v(${names})` : noRows(table);
  return { name: table.name, about: table.about, sql, columns: documented(table) };
}

const bytesOf = (files: readonly { bytes: number }[]): number => files.reduce((n, f) => n + f.bytes, 0);

const SNAPSHOTS = defineTable({
  name: 'snapshots',
  about: 'Published selections: immutable, with their files under snapshots/<key>.',
  columns: {
    name: column('text', 'name in the recipe'),
    key: column('text', 'hash of what it depends on'),
    train: column('int', 'documents for training [count]'),
    validation: column('int', 'documents held out [count]'),
    bytes: column('int', 'size of its files [bytes]'),
    parameters: column('text', 'selection, weights, split and seeds as JSON'),
  },
});

const snapshotsView = (outputs: readonly Output[]): View =>
  inlineView(
    SNAPSHOTS,
    outputs
      .filter((o) => o.stage === 'mix')
      .map((o) => [
        typeof o.facts['name'] === 'string' ? o.facts['name'] : o.key,
        o.key,
        o.counts['train'] ?? 0,
        o.counts['validation'] ?? 0,
        bytesOf(o.files.filter((f) => f.folder === 'snapshots')),
        JSON.stringify(o.params),
      ]),
  );

const STAGES = defineTable({
  name: 'stages',
  about: 'What was made by which stage, from the markers.',
  columns: {
    stage: column('text', 'stage'),
    unit: column('text', 'its unit: the filter, where the stage is measure'),
    key: column('text', 'hash of what it depends on'),
    files: column('int', 'its files [count]'),
    bytes: column('int', 'their size [bytes]'),
    counts: column('text', 'what it counted, JSON'),
    parameters: column('text', 'exactly what it depends on, JSON'),
    facts: column('text', 'what it tells later stages, JSON'),
  },
});

const stagesView = (outputs: readonly Output[]): View =>
  inlineView(
    STAGES,
    outputs.map((o) => [
      o.stage,
      o.unit,
      o.key,
      o.files.length,
      bytesOf(o.files),
      JSON.stringify(o.counts),
      JSON.stringify(o.params),
      JSON.stringify(o.facts),
    ]),
  );
