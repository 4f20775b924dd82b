import { expect, test } from 'vitest';
import { z } from 'zod';
import { parseRecipe, recipeJsonSchema } from '../../core/recipe/read.ts';
import { chosenFilters, filtersSection } from '../../filters/recipe.ts';

const schema = z.strictObject({ filters: filtersSection.optional() });
const read = (yaml: string) => parseRecipe('my.yaml', yaml, schema);

test('filters come in the order of the recipe, with their changes', () => {
  const { filters } = read(`filters:
  fineweb: {}
  language: { keep: [en, zh], min_score: 0.5 }
  gopher_quality: { gopher_short_doc: { en: 30, zh: 20 }, gopher_too_many_hashes: never }
`);
  const chosen = chosenFilters(filters as Parameters<typeof chosenFilters>[0]);
  expect(chosen.map((c) => c.filter.name)).toEqual(['fineweb', 'language', 'gopher_quality']);
  expect(chosen[1]!.rules).toEqual([
    { rule: 'other_language', signal: 'language', notIn: ['en', 'zh'] },
    { rule: 'unsure_language', signal: 'score', below: 0.5 },
  ]);
  expect(chosen[2]!.rules.filter((r) => r.rule === 'gopher_short_doc')).toEqual([
    { rule: 'gopher_short_doc', signal: 'words', when: { language: 'en' }, below: 30 },
    { rule: 'gopher_short_doc', signal: 'words', when: { language: 'zh' }, below: 20 },
    { rule: 'gopher_short_doc', signal: 'words', below: 50 },
  ]);
  expect(filters).toMatchObject({ words: 'spacy' });
});

test('a filter that is only named keeps its published numbers', () => {
  const { filters } = read('filters:\n  fineweb:\n  c4:\n');
  const chosen = chosenFilters(filters as Parameters<typeof chosenFilters>[0]);
  expect(chosen.map((c) => [c.filter.name, c.rules.length === c.filter.rules.length])).toEqual([
    ['fineweb', true],
    ['c4', true],
  ]);
});

test.each([
  {
    yaml: 'filters:\n  gopher_qualty: {}\n',
    where: 'my.yaml:2:3',
    says: 'unknown key "gopher_qualty"',
    hint: 'did you mean "gopher_quality"?',
  },
  {
    yaml: 'filters:\n  gopher_quality:\n    gopher_shrt_doc: 30\n',
    where: 'my.yaml:3:5',
    says: 'unknown key "gopher_shrt_doc" in filters.gopher_quality',
    hint: 'did you mean "gopher_short_doc"?',
  },
  {
    yaml: 'filters:\n  gopher_quality: { gopher_short_doc: off }\n',
    where: 'my.yaml:2:',
    says: 'a number, never, or numbers by language such as {en: 30, zh: 20} are expected',
    hint: '',
  },
  {
    yaml: 'filters:\n  c4: { curly_bracket: 3 }\n',
    where: 'my.yaml:2:',
    says: 'filters.c4.curly_bracket: 3 is not one of its values',
    hint: '(all values: never)',
  },
  {
    yaml: 'filters: { words: spicy }\n',
    where: 'my.yaml:1:',
    says: '"spicy" is not one of its values',
    hint: 'did you mean "spacy"?',
  },
])('$says', ({ yaml, where, says, hint }) => {
  let error: Error & { hint?: string } = new Error('nothing was thrown');
  try {
    read(yaml);
  } catch (thrown) {
    error = thrown as Error;
  }
  expect(error.message).toContain(where);
  expect(error.message).toContain(says);
  expect(error.hint ?? '').toContain(hint);
});

test('the JSON Schema has every rule with its meaning', () => {
  const text = JSON.stringify(recipeJsonSchema(schema));
  expect(text).toContain('gopher_enough_stop_words');
  expect(text).toContain('drop if below (published: 50)');
});
