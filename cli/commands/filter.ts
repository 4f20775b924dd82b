import { GarnerError, nearest } from '../../core/errors.ts';
import { filtersPage } from '../../filters/docs.ts';
import { FILTERS, findFilter } from '../../filters/index.ts';
import { judge, type Filter } from '../../filters/rules.ts';
import { openTexts, WORD_RULES, type Text, type WordRule } from '../../filters/text.ts';
import { defineCommand } from '../command.ts';
import { pipe } from '../pipe.ts';

export default defineCommand({
  name: 'filter',
  summary: 'judge JSON lines by quality filters: {id, text, language?} to {id, keep, verdicts}',
  arguments: [{ name: '[file]', about: 'JSON lines (.gz too); - or nothing reads standard input' }],
  options: [
    {
      flag: '--filters <names>',
      about: 'filters, with commas between them; --doc shows all',
      default: 'gopher_quality',
    },
    {
      flag: '--words <rule>',
      about: 'spacy: words as datatrove finds them; simple: one plain pattern',
      default: 'spacy',
    },
    { flag: '--doc', about: 'print docs/filters.md: every filter, signal, rule and threshold' },
  ],
  examples: [
    'garner filter pages.jsonl --filters gopher_quality,c4 | jq -r "select(.keep).id"',
    'garner filter a.jsonl.gz | jq -c "[.id, (.verdicts[] | select(.keep | not).rule)]"',
  ],
  async run([file], options, terminal) {
    if (options['doc']) {
      terminal.stdout.write(filtersPage());
      return 0;
    }
    const filters = chooseFilters(options['filters'] as string);
    const prepare = await openTexts(chooseWords(options['words'] as string));
    return pipe(file, terminal, (record) => {
      if (typeof record.text !== 'string') return { id: record.id, error: 'no_text' };
      const language = record['language'];
      return {
        id: record.id,
        ...verdictsOf(prepare(record.text, typeof language === 'string' ? language : undefined), filters),
      };
    });
  },
});

function chooseFilters(list: string): Filter[] {
  const all = FILTERS.map((f) => f.name);
  const names = list
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  if (names.length === 0)
    throw new GarnerError({
      what: 'no filter is named',
      where: '--filters',
      hint: `(all filters: ${all.join(', ')})`,
      fault: 2,
    });
  return names.map((name) => {
    const filter = findFilter(name);
    if (filter) return filter;
    const guess = nearest(name, all);
    throw new GarnerError({
      what: `no filter is called "${name}"`,
      where: '--filters',
      hint: `${guess ? `did you mean "${guess}"? ` : ''}(all filters: ${all.join(', ')})`,
      fault: 2,
    });
  });
}

function chooseWords(rule: string): WordRule {
  if ((WORD_RULES as readonly string[]).includes(rule)) return rule as WordRule;
  throw new GarnerError({
    what: `"${rule}" is no word rule`,
    where: '--words',
    hint: `(all rules: ${WORD_RULES.join(', ')})`,
    fault: 2,
  });
}

/** Every rule's verdict; the first of a filter that does not keep is its reason. */
function verdictsOf(text: Text, filters: readonly Filter[]) {
  const verdicts = filters.flatMap((filter) =>
    judge(filter.rules, filter.measure(text), text.language).map(({ rule, value, threshold, keep }) => ({
      filter: filter.name,
      rule,
      value,
      threshold,
      keep,
    })),
  );
  return { keep: verdicts.every((v) => v.keep), verdicts };
}
