import { join } from 'node:path';
import { documentParts, partFile, type Part } from '../../core/lake/documents.ts';
import { fileList, freshConnection, quote } from '../../core/lake/duckdb.ts';
import { copyTo } from '../../core/lake/parquet.ts';
import { decisions, duckdbType } from '../../core/records/index.ts';
import { defineStage, type Inputs } from '../../core/stage/index.ts';
import { findFilter } from '../index.ts';
import { language } from '../language/language.ts';
import { chosenFilters, type FiltersRecipe } from '../recipe.ts';
import { rulesSql, type Rule } from '../rules.ts';

interface Params {
  filters: { name: string; rules: Rule[] }[];
}

/**
 * Signals → decisions, in SQL: no text is read. A row for every rule that drops a document, in the recipe's order of
 * filters and the table's order of rules; one row `kept` where none does.
 */
export default defineStage<FiltersRecipe, Params>({
  name: 'judge',
  version: 1,
  module: 'filters/stages/judge',
  inputs: ['read', 'extract', 'measure'],
  params: ({ filters }) =>
    filters ? { filters: chosenFilters(filters).map(({ filter, rules }) => ({ name: filter.name, rules })) } : null,
  tasks: (inputs) => documentParts(inputs).map((part) => ({ id: part.id, input: part })),
  async run(task, { filters }, io) {
    const part = task.input as Part;
    const db = await freshConnection();
    try {
      await db.run(`CREATE TABLE signals AS ${joinSignals(io.lake, part, io.inputs, filters)}`);
      await copyTo(db, verdictsSql(filters), io.file('decisions', `${part.id}.parquet`));
      const dropped = await db.runAndReadAll(
        `SELECT count(*)::INTEGER, (count(*) FILTER (WHERE verdict = 'drop'))::INTEGER FROM (SELECT subject_id, min(verdict) AS verdict FROM (${verdictsSql(filters)}) GROUP BY subject_id)`,
      );
      const [all, drop] = dropped.getRows()[0] as [number, number];
      return { documents: all, dropped: drop, kept: all - drop };
    } finally {
      db.closeSync();
    }
  },
});

const signalColumn = (filter: string, signal: string): string => `"${filter}.${signal}"`;

/** One row a document of the part, in file order, with the signals of every filter. */
function joinSignals(lake: string, part: Part, inputs: Inputs, filters: Params['filters']): string {
  const names = [...new Set([language.name, ...filters.map((f) => f.name)])];
  const columns: string[] = [];
  const joins = names.map((name, i) => {
    const output = inputs['measure']?.find((o) => o.unit === name);
    const file = partFile(lake, output, 'signals', part.id);
    if (!file) throw new Error(`measure has no signals of ${name} for ${part.id}`);
    for (const signal of Object.keys(findFilter(name)!.signals))
      columns.push(`s${i}."${signal}" AS ${signalColumn(name, signal)}`);
    return `LEFT JOIN read_parquet(${fileList([file])}) s${i} ON s${i}.document_id = d.id`;
  });
  const documents = `read_parquet(${fileList([join(lake, part.path)])}, file_row_number = true)`;
  return `SELECT d.id, d.file_row_number AS row, ${columns.join(', ')} FROM ${documents} d ${joins.join(' ')} ORDER BY row`;
}

/** The rows of `decisions`, in a fixed order. */
function verdictsSql(filters: Params['filters']): string {
  const spoken = `coalesce(${signalColumn(language.name, 'rules_language')}, 'en')`;
  const rules = filters.flatMap(({ name, rules: rows }) =>
    rulesSql(findFilter(name)!, rows, (signal) => signalColumn(name, signal), spoken).map((r) => ({
      filter: name,
      ...r,
    })),
  );
  const drops = rules.map(
    (r, i) =>
      `SELECT id, row, ${i} AS place, ${quote(r.rule)} AS rule, ${quote(r.filter)} AS filter, ${quote(r.signal)} AS signal, ${r.value} AS value, ${r.label} AS label, ${r.threshold} AS threshold, 'drop' AS verdict FROM signals WHERE ${r.drops}`,
  );
  const anyDrop = rules.length === 0 ? 'false' : rules.map((r) => r.drops).join(' OR ');
  const kept = `SELECT id, row, -1 AS place, 'kept' AS rule, NULL AS filter, NULL AS signal, NULL::DOUBLE AS value, NULL AS label, NULL AS threshold, 'keep' AS verdict FROM signals WHERE NOT (${anyDrop})`;
  const cells: Record<keyof typeof decisions.columns, string> = {
    subject_id: 'id',
    stage: `'judge'`,
    rule: 'rule',
    filter: 'filter',
    signal: 'signal',
    value: 'value',
    label: 'label',
    threshold: 'threshold',
    verdict: 'verdict',
    evidence: 'NULL',
  };
  const select = Object.entries(decisions.columns).map(
    ([name, spec]) => `${cells[name as keyof typeof cells]}::${duckdbType(spec)} AS "${name}"`,
  );
  return `SELECT ${select.join(', ')} FROM (${[kept, ...drops].join(' UNION ALL ')}) ORDER BY row, place`;
}
