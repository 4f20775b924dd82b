import { dirname } from 'node:path';
import { expect, test } from 'vitest';
import { goldPages, mean, wordF1, type SetName } from '../../../bench/extraction/score.ts';
import { extract } from '../../../crawlers/extract/index.ts';
import { sharedData } from '../../shared.ts';

const readme = sharedData('extraction/README.md');

// The best rivals on the whole sets: trafilatura favor_precision .970, Readability on jsdom .883. The bench pins exact floors.
test.skipIf(readme === null).each<[SetName, number, number]>([
  ['scrapinghub', 40, 0.96],
  ['zh', 88, 0.9],
])('%s: mean word F1 of %i pages is at least %f', (set, count, least) => {
  const pages = Object.values(goldPages(dirname(readme!), set).pages).filter((p) => p.text !== null);
  const scores = pages.slice(0, count).map((p) => wordF1(p.text!, extract(p.html).text));
  expect(scores).toHaveLength(count);
  expect(mean(scores)).toBeGreaterThan(least);
});
