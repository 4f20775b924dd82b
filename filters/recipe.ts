import { z } from 'zod';
import { FILTERS } from './index.ts';
import { groupRules, type Filter, type Rule } from './rules.ts';
import { WORD_RULES, type WordRule } from './text.ts';

const never = z.literal('never');
const language = z.string().regex(/^[a-z]{2,3}$/, 'a language code is expected, such as en or zh');

const numberRule = z.union([z.number(), never, z.record(language, z.union([z.number(), never]))], {
  error: 'a number, never, or numbers by language such as {en: 30, zh: 20} are expected',
});
const labelRule = z.union([z.array(z.string()).min(1), never], { error: 'a list of labels, or never, is expected' });
const flagRule = z.literal('never');

/** What a recipe may say about one rule. */
export type Change = number | 'never' | string[] | Record<string, number | 'never'>;

type Kind = 'below' | 'above' | 'equals' | 'notIn';

/** What kind of test the rows of a rule are. */
function kindOf(rows: readonly Rule[]): Kind {
  for (const row of rows) {
    for (const kind of ['below', 'above', 'equals', 'notIn'] as const) if (kind in row) return kind;
    if ('takes' in row && row.takes) return row.takes;
  }
  throw new Error(`rule ${rows[0]!.rule} has no test`);
}

const CHANGES = { below: numberRule, above: numberRule, equals: flagRule, notIn: labelRule };

/** `words: drop if below 50 [count]` and the like. */
function describeRule(filter: Filter, rows: readonly Rule[]): string {
  const kind = kindOf(rows);
  const meaning = filter.signals[rows[0]!.signal]!;
  const base = rows.find((r) => !r.when) ?? rows[0]!;
  const what = typeof meaning === 'string' ? meaning : meaning.label;
  if (kind === 'notIn') return `drop if not one of these: ${what}`;
  if (kind === 'equals') return `drop for ${rows[0]!.rule}: ${what}`;
  return `drop if ${kind} (published: ${kind in base ? String((base as unknown as Record<string, number>)[kind]) : 'never'}): ${what}`;
}

const filterSection = (filter: Filter) =>
  z
    .strictObject(
      Object.fromEntries(
        groupRules(filter.rules).map(({ key, rows }) => [
          key,
          CHANGES[kindOf(rows)].optional().describe(describeRule(filter, rows)),
        ]),
      ),
    )
    .nullish()
    .describe(filter.about);

/** The filters of a recipe, made from their tables: `gopher_quality: { gopher_short_doc: 30, gopher_too_many_hashes: never }`. */
export const filtersSection = z.preprocess(
  withOrder,
  z.strictObject({
    words: z
      .enum(WORD_RULES)
      .default('spacy')
      .describe('how words are found: spacy (and jieba for Chinese), as datatrove does; simple, one plain pattern'),
    order: z
      .array(z.enum(FILTERS.map((f) => f.name) as [string, ...string[]]))
      .default([])
      .describe('filters in the order in which they name a reason; as they stand in the recipe where this is left out'),
    ...Object.fromEntries(FILTERS.map((filter) => [filter.name, filterSection(filter)])),
  }),
);

/** A recipe's order is kept by name, since a schema puts its keys in its own. */
function withOrder(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || 'order' in value) return value;
  const order = Object.keys(value).filter((name) => FILTERS.some((f) => f.name === name));
  return { ...value, order };
}

export interface FiltersRecipe {
  filters?: ({ words: WordRule; order: string[] } & Record<string, unknown>) | undefined;
}

/** The filters that a recipe names, in its order, each with its rules after the recipe's changes. */
export function chosenFilters(recipe: NonNullable<FiltersRecipe['filters']>): { filter: Filter; rules: Rule[] }[] {
  return recipe.order
    .filter((name) => recipe[name] !== undefined)
    .map((name) => {
      const filter = FILTERS.find((f) => f.name === name)!;
      return { filter, rules: changeRules(filter.rules, (recipe[name] ?? {}) as Record<string, Change>) };
    });
}

/**
 * Rules after a recipe's changes. A plain number replaces the published one; a language with a number of its own keeps that
 * unless it is named. A plain `never` switches the rule off for every language.
 */
export function changeRules(rules: readonly Rule[], changes: Record<string, Change | undefined>): Rule[] {
  return groupRules(rules).flatMap(({ rule, key, signal, rows }): Rule[] => {
    const change = changes[key];
    if (change === undefined) return rows;
    if (change === 'never') return [{ rule, signal, never: true }];
    const kind = kindOf(rows);
    if (Array.isArray(change)) return [{ rule, signal, notIn: change }];
    const row = (value: number | 'never', when?: Rule['when']): Rule =>
      ({
        rule,
        signal,
        ...(when ? { when } : {}),
        ...(value === 'never' ? { never: true } : { [kind]: value }),
      }) as Rule;
    if (typeof change === 'number') {
      const published = rows.find((r) => !r.when) ?? rows.find((r) => r.when!.language === 'en');
      return rows.map((r) => (r === published ? row(change, r.when) : r));
    }
    const named = Object.entries(change).map(([code, value]) => row(value, { language: code }));
    return [...named, ...rows.filter((r) => !r.when || !(r.when.language in change))];
  });
}
