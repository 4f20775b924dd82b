import { rm } from 'node:fs/promises';
import { dependencyVersion } from '../../core/root.ts';
import { writeTable } from '../../core/lake/parquet.ts';
import { outputFolder } from '../../core/lake/layout.ts';
import { captures } from '../../core/records/index.ts';
import { defineStage } from '../../core/stage/index.ts';
import { findBrowser } from '../web/browser-path.ts';
import { crawl } from '../web/crawl.ts';
import type { CrawlRecipe } from '../web/recipe.ts';
import { unreachable } from './unreachable.ts';

type Params = CrawlRecipe & { versions: Record<string, string> };

/**
 * Websites → WARC files and one row a URL that was touched. A finished crawl stands: the same recipe does not crawl again,
 * and later stages depend on what was captured, not on when.
 */
export default defineStage<{ crawl?: CrawlRecipe | undefined; limit?: number | undefined }, Params>({
  name: 'crawl',
  version: 1,
  module: 'crawlers/stages/crawl',
  inputs: [],
  identity: 'content',
  params({ crawl: section, limit }) {
    if (!section) return null;
    const max_pages = Math.min(section.max_pages, limit ?? Infinity);
    return { ...section, max_pages, versions: { parse5: dependencyVersion('parse5') } };
  },
  // How gently a site is asked changes nothing of what it answers: a killed crawl may go on at another pace.
  units(params) {
    const { delay: _d, parallel: _p, timeout: _t, retries: _r, contact: _c, ...decisive } = params;
    return [{ name: 'crawl', version: 1, params: decisive }];
  },
  tasks: () => [{ id: 'part-00000', input: null }],
  async run(task, recipe, context) {
    const result = await crawl({
      recipe,
      warcFolder: context.folder('captures'),
      warcFolderInRows: outputFolder('captures', 'crawl', 'crawl', context.key()),
      scratch: context.scratch,
      chromium: findBrowser(),
      notice: context.notice,
      progress: (done, open, note) => context.progress(done, done + open, note),
    });
    const nothing = unreachable(recipe.seeds, result.rows);
    if (nothing) {
      await rm(context.scratch, { recursive: true, force: true });
      throw nothing;
    }
    const table = await writeTable(context.file('captures', `${task.id}.parquet`), captures);
    for (const row of result.rows) table.append(row);
    await table.close();
    for (const file of result.files) context.keep('captures', file);
    const counts: Record<string, number> = { urls: result.rows.length };
    for (const { outcome } of result.rows) counts[outcome] = (counts[outcome] ?? 0) + 1;
    const waiting = counts['needs_browser'];
    if (waiting !== undefined && recipe.browser === 'auto' && findBrowser() === null)
      context.notice(
        `${waiting} page${waiting === 1 ? '' : 's'} only JavaScript fills, and there is no Chromium here: install one, or name it in GARNER_CHROMIUM`,
      );
    return { ...counts, links_to_other_hosts: result.outside };
  },
});
