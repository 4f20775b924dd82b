import { createProgress } from '../../core/progress.ts';
import { openLake } from '../../core/lake/lake.ts';
import { plan } from '../../core/stage/index.ts';
import { serveSite } from '../../examples/sample-site/server.ts';
import { buildSite } from '../../examples/sample-site/site.ts';
import { wholeNumber } from '../arguments.ts';
import { defineCommand } from '../command.ts';
import { STAGES } from '../pipeline.ts';
import { quickstartRecipe } from '../quickstart.ts';
import { quickstartReport } from '../report.ts';
import { runRecipe } from '../run.ts';
import { terminalWidth } from '../table.ts';

export default defineCommand({
  name: 'quickstart',
  summary: 'serve the sample site and run the whole arrow on it, in about two minutes',
  options: [
    { flag: '--lake <dir>', about: 'the lake', default: 'lakes/quickstart' },
    { flag: '--workers <n>', about: 'child processes (default: cores)', parse: wholeNumber('--workers') },
    { flag: '--until <stage>', about: 'stop after this stage' },
  ],
  examples: ['npm run quickstart'],
  async run(_, options, terminal) {
    const started = performance.now();
    const lake = await openLake(options['lake'] as string);
    const { recipe, port } = await quickstartRecipe(lake);
    const progress = createProgress(terminal.stderr);
    // A finished crawl needs no site any more.
    const crawled = plan({ lake, recipe, stages: STAGES, until: 'crawl' })[0]!.units[0]!.reused;
    const server = crawled ? null : await serveSite(buildSite(1), { port });
    if (server) progress.notice(`the sample site is served at ${server.url}`);
    const until = options['until'] as string | undefined;
    const workers = options['workers'] as number | undefined;
    try {
      await runRecipe({ lake, recipe, until, workers, progress }, terminal);
    } finally {
      await server?.close();
    }
    terminal.stdout.write(
      await quickstartReport(lake, recipe.name, (performance.now() - started) / 1000, terminalWidth(terminal)),
    );
    return 0;
  },
});
