import { describe, expect, test } from 'vitest';
import { identifier, quote } from '../../core/lake/duckdb.ts';
import { queryRows } from '../../core/lake/parquet.ts';
import { FILTERS } from '../../filters/index.ts';
import { changeRules } from '../../filters/recipe.ts';
import { defineFilter, judge, judgeSql, rulesSql, type Filter, type Rule, type Signals } from '../../filters/rules.ts';
import { prepare } from '../../filters/text.ts';
import { goldenTexts } from './golden.ts';

const toy = (rules: Rule<'words' | 'label'>[]): Filter =>
  defineFilter({
    name: 'toy',
    version: 1,
    about: 'A toy.',
    source: 'none',
    needs: [],
    signals: { words: 'words [count]', label: { label: 'a label' } },
    measure: () => ({ words: null, label: null }),
    rules,
  });

const literal = (value: number | string | null) =>
  value === null ? 'NULL' : typeof value === 'number' ? `'${value}'::DOUBLE` : quote(value);

/** First dropping rule of each row, by SQL. */
async function bySql(filter: Filter, rows: { signals: Signals; language: string }[]): Promise<(string | null)[]> {
  const names = Object.keys(filter.signals);
  const types = names.map((n) => (typeof filter.signals[n] === 'string' ? 'DOUBLE' : 'VARCHAR'));
  const values = rows.map(
    ({ signals, language }, i) => `(${i}, ${quote(language)}, ${names.map((n) => literal(signals[n]!)).join(', ')})`,
  );
  const select = names.map((n, i) => `${identifier(n)}::${types[i]} AS ${identifier(n)}`);
  const table = `(SELECT i, language, ${select.join(', ')} FROM (VALUES ${values.join(', ')}) v(i, language, ${names.map(identifier).join(', ')}))`;
  const found = await queryRows(`SELECT ${judgeSql(filter, filter.rules)} AS reason FROM ${table} ORDER BY i`);
  return found.map((r) => r['reason'] as string | null);
}

const byTypeScript = (filter: Filter, { signals, language }: { signals: Signals; language: string }) =>
  judge(filter.rules, signals, language).find((v) => !v.keep)?.rule ?? null;

test.each<{ why: string; rules: Rule<'words' | 'label'>[]; signals: Signals; language?: string; drops: string | null }>(
  [
    { why: 'under', rules: [{ rule: 'short', signal: 'words', below: 50 }], signals: { words: 49 }, drops: 'short' },
    {
      why: 'at the threshold',
      rules: [{ rule: 'short', signal: 'words', below: 50 }],
      signals: { words: 50 },
      drops: null,
    },
    {
      why: 'over',
      rules: [{ rule: 'long', signal: 'words', above: 0.1 }],
      signals: { words: 0.10000000000000002 },
      drops: 'long',
    },
    {
      why: 'a share that is the threshold to the bit',
      rules: [{ rule: 'long', signal: 'words', above: 0.1 }],
      signals: { words: 0.1 },
      drops: null,
    },
    { why: 'null keeps', rules: [{ rule: 'long', signal: 'words', above: 0 }], signals: { words: null }, drops: null },
    {
      why: 'a threshold of 0 is a threshold',
      rules: [{ rule: 'long', signal: 'words', above: 0 }],
      signals: { words: 1e-9 },
      drops: 'long',
    },
    { why: 'never', rules: [{ rule: 'long', signal: 'words', never: true }], signals: { words: 1e9 }, drops: null },
    {
      why: 'a label',
      rules: [{ rule: 'l', signal: 'label', equals: 'lorem' }],
      signals: { label: 'lorem' },
      drops: 'l',
    },
    {
      why: 'another label',
      rules: [{ rule: 'l', signal: 'label', equals: 'lorem' }],
      signals: { label: 'x' },
      drops: null,
    },
    { why: 'no label', rules: [{ rule: 'l', signal: 'label', notIn: ['en'] }], signals: { label: null }, drops: null },
    {
      why: 'outside a set',
      rules: [{ rule: 'l', signal: 'label', notIn: ['en', "o'k"] }],
      signals: { label: 'fr' },
      drops: 'l',
    },
    {
      why: 'inside a set',
      rules: [{ rule: 'l', signal: 'label', notIn: ['en', "o'k"] }],
      signals: { label: "o'k" },
      drops: null,
    },
    {
      why: 'the first rule that drops',
      rules: [
        { rule: 'a', signal: 'words', above: 9 },
        { rule: 'b', signal: 'words', above: 1 },
        { rule: 'c', signal: 'words', above: 0 },
      ],
      signals: { words: 5 },
      drops: 'b',
    },
    {
      why: 'the row of the language',
      rules: [
        { rule: 'a', signal: 'words', when: { language: 'zh' }, above: 9 },
        { rule: 'a', signal: 'words', above: 1 },
      ],
      signals: { words: 5 },
      language: 'zh',
      drops: null,
    },
    {
      why: 'the row for all others',
      rules: [
        { rule: 'a', signal: 'words', when: { language: 'zh' }, above: 9 },
        { rule: 'a', signal: 'words', above: 1 },
      ],
      signals: { words: 5 },
      language: 'fr',
      drops: 'a',
    },
    {
      why: 'no row fits',
      rules: [{ rule: 'a', signal: 'words', when: { language: 'en' }, above: 1 }],
      signals: { words: 5 },
      language: 'fr',
      drops: null,
    },
  ],
)('$why → $drops, in TypeScript and in SQL', async ({ rules, signals, language = 'en', drops }) => {
  const filter = toy(rules);
  const row = { signals: { words: null, label: null, ...signals }, language };
  expect(byTypeScript(filter, row)).toBe(drops);
  expect(await bySql(filter, [row])).toEqual([drops]);
});

const golden = [...(goldenTexts('english') ?? []), ...(goldenTexts('other-languages') ?? [])];

describe.skipIf(golden.length === 0)('both judges on every text', () => {
  test.each(FILTERS.map((f) => [f.name, f] as const))('%s', async (_name, filter) => {
    const rows = golden.map((t) => {
      const text = prepare(t.text, { words: 'simple', language: t.lang });
      return { signals: filter.measure(text), language: text.language };
    });
    const want = rows.map((row) => byTypeScript(filter, row));
    expect(await bySql(filter, rows)).toEqual(want);
  });
});

describe('changes of a recipe', () => {
  const rules: Rule[] = [
    { rule: 'a', signal: 'words', when: { language: 'zh' }, above: 9 },
    { rule: 'a', signal: 'words', above: 1 },
    { rule: 'b', signal: 'words', below: 5 },
    { rule: 'c', signal: 'words', when: { language: 'en' }, below: 5 },
    { rule: 'l', signal: 'label', never: true, takes: 'notIn' },
  ];
  const drops = (changes: Parameters<typeof changeRules>[1], words: number, language = 'en') =>
    judge(changeRules(rules, changes), { words, label: 'fr' }, language)
      .filter((v) => !v.keep)
      .map((v) => v.rule);

  test.each([
    { why: 'none', changes: {}, words: 6, language: 'en', drop: ['a'] },
    { why: 'a number takes the place of the published one', changes: { a: 7 }, words: 6, language: 'en', drop: [] },
    { why: 'and leaves a language its own', changes: { a: 2 }, words: 6, language: 'zh', drop: [] },
    { why: 'unless it is named', changes: { a: { zh: 2 } }, words: 6, language: 'zh', drop: ['a'] },
    { why: 'a named language leaves the others', changes: { a: { zh: 2 } }, words: 6, language: 'fr', drop: ['a'] },
    { why: 'never, everywhere', changes: { a: 'never' as const }, words: 60, language: 'zh', drop: [] },
    { why: 'never, for one language', changes: { b: { fr: 'never' as const } }, words: 1, language: 'fr', drop: [] },
    { why: 'a rule for English alone stays so', changes: { c: 8 }, words: 7, language: 'fr', drop: ['a'] },
    { why: 'and takes the number', changes: { c: 8 }, words: 7, language: 'en', drop: ['a', 'c'] },
    { why: 'a list', changes: { l: ['en'] }, words: 5, language: 'zh', drop: ['l'] },
  ])('$why', ({ changes, words, language, drop }) => {
    expect(drops(changes, words, language)).toEqual(drop);
  });
});

test('a rule’s SQL names value, label and threshold as they are stored', () => {
  const filter = toy([
    { rule: 'a', signal: 'words', when: { language: 'zh' }, never: true },
    { rule: 'a', signal: 'words', above: 1 },
    { rule: 'l', signal: 'label', notIn: ['en', 'zh'] },
  ]);
  const [a, l] = rulesSql(filter, filter.rules, (s) => s, 'language');
  expect(a).toMatchObject({
    value: 'words',
    label: 'NULL::VARCHAR',
    threshold: "CASE language WHEN 'zh' THEN NULL ELSE '1' END",
  });
  expect(l).toMatchObject({ value: 'NULL::DOUBLE', label: 'label', threshold: "'en, zh'" });
});
