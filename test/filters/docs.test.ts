import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { asset } from '../../core/root.ts';
import { filtersPage } from '../../filters/docs.ts';
import { FILTERS } from '../../filters/index.ts';

test('docs/filters.md is what the tables say (make it anew: bin/garner filter --doc > docs/filters.md)', () => {
  expect(readFileSync(asset('docs/filters.md'), 'utf8')).toBe(filtersPage());
});

test('it names every filter, signal and rule', () => {
  const page = filtersPage();
  for (const filter of FILTERS) {
    expect(page).toContain(`## ${filter.name}\n`);
    for (const name of [...Object.keys(filter.signals), ...filter.rules.map((r) => r.rule)])
      expect(page).toContain(`| \`${name}\` `);
  }
  expect(page).toContain('| zh | 1 | 5 | 0.735 |');
});
