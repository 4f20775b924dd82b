import { quote } from '../core/lake/duckdb.ts';
import { optional, column, defineTable, type Column, type Table } from '../core/records/index.ts';
import type { Text } from './text.ts';

/** What a document is dropped for: a number under or over a threshold, a label that is, or is not, one of some. */
export type Test = { below: number } | { above: number } | { equals: string } | { notIn: readonly string[] };

/** A rule that is switched off; `takes` says what a recipe may give it, where no other row does. */
export interface Never {
  never: true;
  takes?: 'notIn';
}

/**
 * One row of a filter's table. Rows with the same `rule` are one rule: the first whose `when` fits the document's language
 * counts, and without one that fits the rule keeps.
 */
export type Rule<S extends string = string> = {
  /** The reason, as it is stored and shown. */
  rule: string;
  /** Its name in a recipe, where that is another: `keep: [en]` drops for the reason `other_language`. */
  key?: string;
  signal: S;
  when?: { language: string };
} & (Test | Never);

/** The meaning of a signal and its [unit]; a label is text, everything else a number. */
export type Meaning = string | { label: string };
export type Signals<S extends string = string> = Record<S, number | string | null>;

/** What a measurement depends on beside the filter's version: it goes into the key of the stored signals. */
export type Need = 'words' | 'language' | 'word lists';

export interface Filter<S extends string = string> {
  name: string;
  /** Raised when measure() would give another value. */
  version: number;
  /** One sentence for people: what it is for. */
  about: string;
  source: string;
  needs: readonly Need[];
  /** Name → meaning [unit]: the columns of the stored signals, with their comments. */
  signals: Record<S, Meaning>;
  /** Pure: text in, one value a signal out; null where it is not defined, such as a mean over no words. */
  measure(text: Text): Signals<NoInfer<S>>;
  rules: readonly Rule<NoInfer<S>>[];
}

/** A share or ratio, or null where nothing is divided. */
export const share = (n: number, of: number): number | null => (of === 0 ? null : n / of);

/** Checks a filter where it is written: a misspelt signal is an error on its own line. */
export const defineFilter = <const S extends string>(filter: Filter<S>): Filter => filter as unknown as Filter;

/** What one rule says of one document. */
export interface Verdict {
  rule: string;
  signal: string;
  value: number | string | null;
  /** The number or set that counted for this document; null where the rule is switched off for it. */
  threshold: number | string | null;
  keep: boolean;
}

/** The rules of a table by name, in order of first appearance, each with its rows and its name in a recipe. */
export function groupRules(rules: readonly Rule[]): { rule: string; key: string; signal: string; rows: Rule[] }[] {
  const groups = new Map<string, Rule[]>();
  for (const row of rules) groups.set(row.rule, [...(groups.get(row.rule) ?? []), row]);
  return [...groups].map(([rule, rows]) => ({ rule, key: rows[0]!.key ?? rule, signal: rows[0]!.signal, rows }));
}

const fits = (row: Rule, language: string): boolean => !row.when || row.when.language === language;

/** The number, label or set of a rule, as it is stored and shown; null where it is switched off. */
export function thresholdOf(row: Rule): number | string | null {
  if ('below' in row) return row.below;
  if ('above' in row) return row.above;
  if ('equals' in row) return row.equals;
  if ('notIn' in row) return row.notIn.join(', ');
  return null;
}

function drops(row: Rule, value: number | string | null): boolean {
  if (value === null) return false;
  if ('below' in row) return (value as number) < row.below;
  if ('above' in row) return (value as number) > row.above;
  if ('equals' in row) return value === row.equals;
  if ('notIn' in row) return !row.notIn.includes(value as string);
  return false;
}

const rowsByLanguage = new WeakMap<
  readonly Rule[],
  Map<string, { rule: string; signal: string; row: Rule | undefined }[]>
>();

/** For each rule the row that counts for a language; made once a table and language. */
function rowsFor(rules: readonly Rule[], language: string) {
  let byLanguage = rowsByLanguage.get(rules);
  if (!byLanguage) rowsByLanguage.set(rules, (byLanguage = new Map()));
  let chosen = byLanguage.get(language);
  if (!chosen) {
    chosen = groupRules(rules).map(({ rule, signal, rows }) => {
      const row = rows.find((r) => fits(r, language));
      return { rule, signal: row?.signal ?? signal, row };
    });
    // A stated language may be any text: a table of them must not grow without end.
    if (byLanguage.size < MOST_LANGUAGES) byLanguage.set(language, chosen);
  }
  return chosen;
}

const MOST_LANGUAGES = 1000;

/** Every rule's verdict, in table order, so that a document dropped by one shows what else would have dropped it. Null keeps, as NULL does in SQL. */
export function judge(rules: readonly Rule[], signals: Signals, language: string): Verdict[] {
  return rowsFor(rules, language).map(({ rule, signal, row }) => {
    const value = signals[signal] ?? null;
    return { rule, signal, value, threshold: row ? thresholdOf(row) : null, keep: !row || !drops(row, value) };
  });
}

/** A number as SQL of exactly that double: a bare `0.1` would be a DECIMAL. */
const double = (n: number): string => `'${n}'::DOUBLE`;

function dropsSql(row: Rule, value: string): string {
  if ('below' in row) return `coalesce(${value} < ${double(row.below)}, false)`;
  if ('above' in row) return `coalesce(${value} > ${double(row.above)}, false)`;
  if ('equals' in row) return `coalesce(${value} = ${quote(row.equals)}, false)`;
  if ('notIn' in row) {
    if (row.notIn.length === 0) return `(${value} IS NOT NULL)`;
    return `coalesce(${value} NOT IN (${row.notIn.map(quote).join(', ')}), false)`;
  }
  return 'false';
}

/** Picks an expression by the document's language, as `fits` does. */
function byLanguage(rows: readonly Rule[], language: string, of: (row: Rule) => string, otherwise: string): string {
  const last = rows.findIndex((r) => !r.when);
  const special = last === -1 ? rows : rows.slice(0, last);
  const rest = last === -1 ? otherwise : of(rows[last]!);
  if (special.length === 0) return rest;
  const when = special.map((r) => `WHEN ${quote(r.when!.language)} THEN ${of(r)}`);
  return `CASE ${language} ${when.join(' ')} ELSE ${rest} END`;
}

export interface RuleSql {
  rule: string;
  /** BOOLEAN: this rule drops the document. */
  drops: string;
  signal: string;
  /** DOUBLE or NULL. */
  value: string;
  /** VARCHAR or NULL. */
  label: string;
  /** VARCHAR or NULL. */
  threshold: string;
}

/** Each rule as SQL. `column` names a signal's column, `language` is an expression for the document's language. */
export function rulesSql(
  filter: Filter,
  rules: readonly Rule[],
  column: (signal: string) => string,
  language: string,
): RuleSql[] {
  return groupRules(rules).map(({ rule, signal, rows }) => ({
    rule,
    signal,
    drops: byLanguage(rows, language, (r) => dropsSql(r, column(r.signal)), 'false'),
    value: isLabel(filter, signal) ? 'NULL::DOUBLE' : column(signal),
    label: isLabel(filter, signal) ? column(signal) : 'NULL::VARCHAR',
    threshold: byLanguage(
      rows,
      language,
      (r) => {
        const threshold = thresholdOf(r);
        return threshold === null ? 'NULL' : quote(String(threshold));
      },
      'NULL',
    ),
  }));
}

/** The same judgement as `judge`, for DuckDB: the name of the first rule that drops, or NULL. */
export function judgeSql(
  filter: Filter,
  rules: readonly Rule[],
  column: (signal: string) => string = (signal) => `"${signal}"`,
  language = 'language',
): string {
  const when = rulesSql(filter, rules, column, language).map((r) => `WHEN ${r.drops} THEN ${quote(r.rule)}`);
  return when.length === 0 ? 'NULL::VARCHAR' : `CASE ${when.join(' ')} END`;
}

const isLabel = (filter: Filter, signal: string): boolean => typeof filter.signals[signal] === 'object';

/** The stored signals of a filter: one row a document, one column a signal. */
export function signalTable(filter: Filter): Table {
  const columns: Record<string, Column> = { document_id: column('text', 'document') };
  for (const [name, meaning] of Object.entries(filter.signals))
    columns[name] = typeof meaning === 'string' ? optional('float', meaning) : optional('text', meaning.label);
  return defineTable({ name: `signals_${filter.name}`, about: filter.about, columns });
}
