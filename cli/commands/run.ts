import { short } from '../../core/progress.ts';
import { plan, type StageReport } from '../../core/stage/index.ts';
import { wholeNumber } from '../arguments.ts';
import { defineCommand, type Terminal } from '../command.ts';
import { detach, detached, detachedRecipe, EXECUTOR_FLAGS, executorOf, isToBeDetached } from '../executor.ts';
import { LAKE_FLAG, lakeFor } from '../lake.ts';
import { loadRecipe, STAGES } from '../pipeline.ts';
import { runRecipe } from '../run.ts';
import { formatTable, terminalWidth } from '../table.ts';

export default defineCommand({
  name: 'run',
  summary: 'run a recipe: make what is missing, reuse what is there',
  arguments: [{ name: '<recipe>', about: 'YAML file' }],
  options: [
    { ...LAKE_FLAG, about: 'the lake (default: lakes/<name of the recipe>)' },
    { flag: '--until <stage>', about: 'stop after this stage' },
    {
      flag: '--limit <n>',
      about: 'at most n documents or pages of each source: a trial of its own',
      parse: wholeNumber('--limit', 1),
    },
    { flag: '--workers <n>', about: 'child processes (default: cores)', parse: wholeNumber('--workers') },
    ...EXECUTOR_FLAGS,
    { flag: '--dry-run', about: 'say what would run and what is reused' },
    { flag: '--wait', about: 'wait where another process writes the lake' },
    { flag: '--json', about: 'the report as JSON lines' },
  ],
  examples: [
    'garner run my.yaml',
    'garner run my.yaml --until judge --limit 1000',
    'garner run my.yaml --executor slurm',
  ],
  async run([path], options, terminal) {
    const where = executorOf(options);
    const recipe = detachedRecipe(path!) ?? loadRecipe(path!);
    const limit = options['limit'] as number | undefined;
    const limited = limit === undefined ? recipe : { ...recipe, name: `${recipe.name}-limit-${limit}`, limit };
    const lake = lakeFor(options, recipe.name);
    const until = options['until'] as string | undefined;
    if (options['dryRun']) {
      const reports = plan({ lake, recipe: limited, stages: STAGES, until });
      show(reports, terminal, options['json'] === true, true);
      return 0;
    }
    if (isToBeDetached(where)) return detached(await detach(lake, { recipe: limited, until, ...where }), terminal);
    const reports = await runRecipe(
      {
        lake,
        recipe: limited,
        until,
        workers: options['workers'] as number | undefined,
        wait: options['wait'] === true,
        ...where,
      },
      terminal,
    );
    show(reports, terminal, options['json'] === true, false);
    return 0;
  },
});

function show(reports: readonly StageReport[], terminal: Terminal, json: boolean, dry: boolean): void {
  if (json) {
    for (const report of reports) terminal.stdout.write(`${JSON.stringify(report)}\n`);
    return;
  }
  const rows = reports.map((r) => {
    const reused = r.units.filter((u) => u.reused).length;
    const what =
      reused === r.units.length
        ? 'reused'
        : reused > 0
          ? `${reused} of ${r.units.length} units reused`
          : dry
            ? 'would run'
            : 'made';
    const unknown = r.units.some((u) => u.key === null);
    return [
      r.stage,
      what + (unknown ? ' (after a crawl: its key is not known yet)' : ''),
      Object.entries(r.counts)
        .map(([k, v]) => `${k.replaceAll('_', ' ')} ${short(v)}`)
        .join(', '),
    ];
  });
  terminal.stdout.write(
    `${formatTable(['stage', dry ? 'what would happen' : 'what happened', dry ? '' : 'counts'], rows, terminalWidth(terminal))}\n`,
  );
}
