import { FILTERS } from './index.ts';
import { CERTAIN } from './language/identify.ts';
import { groupRules, thresholdOf, type Filter, type Rule } from './rules.ts';
import { MEASURED } from './text.ts';

/** docs/filters.md: every filter, signal and rule, from the tables that judge. */
export function filtersPage(): string {
  return `${[INTRODUCTION, ...FILTERS.map(section)].join('\n\n')}\n`;
}

const INTRODUCTION = `# Filters

<!-- Made by \`garner filter --doc\`; a test holds it against the tables. -->

A filter measures a text once: named numbers and labels, the *signals*. Its *rules* hold signals against thresholds; all rules are judged, and the first that drops is the reason. Signals are stored, so that a changed threshold reads no text again.

A recipe changes a rule by its name, or switches it off with \`never\`; a number can be given by language:

\`\`\`yaml
filters:
  gopher_quality: { gopher_short_doc: 30, gopher_too_many_hashes: never }
  fineweb: { list_ratio: { en: 0.4, zh: 0.2 } }
\`\`\`

A plain number takes the place of the published one. A language with a number of its own keeps that unless it is named. A document counts as written in the language that \`language\` identifies with a score of at least ${CERTAIN}, if it has 20 letters; else it is judged as English. Text that is mostly Han counts as Chinese whatever the model says.

Words are found by spaCy's rules, Chinese ones by jieba, as datatrove does (\`words: spacy\`), or by one plain pattern (\`words: simple\`). A text of over ${MEASURED.toLocaleString('en')} UTF-16 units is measured by its beginning. A signal that is not defined (a mean over no words) is null, and null drops nothing.`;

function section(filter: Filter): string {
  const signals = Object.entries(filter.signals).map(
    ([name, meaning]) => `| \`${name}\` | ${cell(typeof meaning === 'string' ? meaning : `label: ${meaning.label}`)} |`,
  );
  const groups = groupRules(filter.rules);
  const rules = groups.map(({ rule, key, signal, rows }) => {
    const base = rows.find((r) => !r.when) ?? rows.find((r) => r.when!.language === 'en')!;
    const only = base.when ? ' (English only)' : '';
    const named = key === rule ? '' : ` (in a recipe: \`${key}\`)`;
    return `| \`${rule}\`${named} | \`${signal}\` | ${cell(test(base))}${only} |`;
  });
  return [
    `## ${filter.name}`,
    `${filter.about}\n\nSource: ${filter.source}. Version ${filter.version}.`,
    ['| signal | meaning |', '| --- | --- |', ...signals].join('\n'),
    ['| rule | signal | drop if |', '| --- | --- | --- |', ...rules].join('\n'),
    ...byLanguage(groups),
  ].join('\n\n');
}

/** Thresholds of the languages that have their own: a row a language, a column a rule. */
function byLanguage(groups: ReturnType<typeof groupRules>): string[] {
  const special = groups.filter(({ rows }) => rows.some((r) => r.when) && rows.some((r) => !r.when));
  if (special.length === 0) return [];
  const languages = [...new Set(special.flatMap(({ rows }) => rows.flatMap((r) => r.when?.language ?? [])))];
  const lines = languages.map((language) => {
    const cells = special.map(({ rows }) => {
      const row = rows.find((r) => r.when?.language === language);
      return row ? String(thresholdOf(row) ?? 'never') : '';
    });
    return `| ${[language, ...cells].join(' | ')} |`;
  });
  return [
    'By language:',
    [
      `| ${['language', ...special.map((s) => `\`${s.rule}\``)].join(' | ')} |`,
      `| ${['---', ...special.map(() => '---:')].join(' | ')} |`,
      ...lines,
    ].join('\n'),
  ];
}

function test(row: Rule): string {
  if ('below' in row) return `below ${row.below}`;
  if ('above' in row) return `above ${row.above}`;
  if ('equals' in row) return `it is \`${row.equals}\``;
  if ('notIn' in row) return `not one of ${row.notIn.join(', ')}`;
  return row.takes === 'notIn' ? 'not one of the list that the recipe gives; never without one' : 'never';
}

const cell = (text: string): string => text.replaceAll('|', '\\|');
