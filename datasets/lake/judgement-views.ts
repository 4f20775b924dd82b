import { existsSync } from 'node:fs';
import { fileList, quote } from '../../core/lake/duckdb.ts';
import { journalPath, judgementParts, LONGEST_JUDGEMENT } from '../../core/lake/judgements.ts';
import { duckdbType, judgements } from '../../core/records/index.ts';
import type { View } from './views.ts';

/** How a candidate reads in SQL. */
const CANDIDATE = {
  id: 'VARCHAR',
  run: 'VARCHAR',
  checkpoint: 'VARCHAR',
  answer: 'VARCHAR',
  sampling: 'JSON',
  finish: 'VARCHAR',
};

const NAMES = Object.keys(judgements.columns);
const columns = NAMES.map((name) => `"${name}"`).join(', ');

/** Rows of the journal as the compacted files have them. A last line that is being written just now is none yet. */
function journalRows(path: string): string {
  const isJson = (name: string) => name === 'candidates' || name === 'order';
  const types = Object.entries(judgements.columns).map(([n, c]) => `"${n}": '${isJson(n) ? 'JSON' : duckdbType(c)}'`);
  const select = NAMES.map((n) => (isJson(n) ? `"${n}"::VARCHAR AS "${n}"` : `"${n}"`)).join(', ');
  return `SELECT ${select} FROM read_json(${quote(path)}, format = 'newline_delimited', ignore_errors = true,
    maximum_object_size = ${2 * LONGEST_JUDGEMENT}, columns = {${types.join(', ')}}) WHERE id IS NOT NULL AND verdict IS NOT NULL`;
}

/**
 * The judgements of a lake, compacted ones and the journal's, each id once. They belong to no recipe: people judge what
 * any run wrote.
 */
export function judgementsView(lake: string): View {
  const parts = judgementParts(lake);
  const sources = [
    ...(parts.length > 0 ? [`SELECT ${columns} FROM read_parquet(${fileList(parts)})`] : []),
    ...(existsSync(journalPath(lake)) ? [journalRows(journalPath(lake))] : []),
  ];
  const none = `SELECT ${Object.entries(judgements.columns)
    .map(([name, c]) => `NULL::${duckdbType(c)} AS "${name}"`)
    .join(', ')} WHERE false`;
  const all = sources.length > 0 ? sources.join(' UNION ALL ') : none;
  const sql = `WITH lines AS (SELECT DISTINCT ON (id) * FROM (${all}))
    SELECT * REPLACE (from_json(candidates, ${quote(`[${JSON.stringify(CANDIDATE)}]`)}) AS candidates,
        from_json("order", '[["VARCHAR"]]') AS "order"),
      verdict <> 'retract' AND id NOT IN (SELECT retracts FROM lines WHERE verdict = 'retract' AND retracts IS NOT NULL) AS stands
    FROM lines`;
  const about: Record<string, string> = {
    candidates: 'what was compared: list of {id, run, checkpoint, answer, sampling, finish}',
    order: 'ids in groups, the best group first; those of one group are equal',
  };
  return {
    name: judgements.name,
    about: judgements.about,
    sql,
    columns: [
      ...NAMES.map((name) => ({ name, about: about[name] ?? judgements.columns[name as 'id'].about })),
      { name: 'stands', about: 'it was not taken back' },
    ],
  };
}
