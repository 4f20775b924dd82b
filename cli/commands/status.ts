import { join } from 'node:path';
import { inventory } from '../../core/lake/inventory.ts';
import { existingLake } from '../../core/lake/lake.ts';
import { lockHolder } from '../../core/lake/lock.ts';
import { plan } from '../../core/stage/index.ts';
import { clusterTasks, type StageTasks } from '../../core/stage/slurm/status.ts';
import { defineCommand } from '../command.ts';
import { LAKE_FLAG, lakeFor, lakeOf } from '../lake.ts';
import { loadRecipe, STAGES } from '../pipeline.ts';
import { formatBytes, formatTable, terminalWidth, type Cell } from '../table.ts';

export default defineCommand({
  name: 'status',
  summary: 'what is done, running and stale on a lake',
  arguments: [{ name: '[recipe]', about: 'also hold the lake against this recipe: what a run would make anew' }],
  options: [LAKE_FLAG, { flag: '--json', about: 'JSON lines' }],
  examples: ['garner status --lake lakes/quickstart', 'garner status my.yaml'],
  async run([path], options, terminal) {
    const recipe = path === undefined ? null : loadRecipe(path);
    const lake = existingLake(recipe ? lakeFor(options, recipe.name) : lakeOf(options));
    const holder = await lockHolder(lake);
    const cluster = await clusterTasks(lake);
    const wanted = recipe
      ? new Set(plan({ lake, recipe, stages: STAGES }).flatMap((r) => r.units.map((u) => u.key)))
      : null;
    const rows = inventory(lake).map((h) => {
      const state =
        h.output === null
          ? onCluster(cluster, h.key)
            ? describe(onCluster(cluster, h.key)!)
            : holder
              ? 'running or waiting'
              : 'unfinished'
          : (wanted ? wanted.has(h.key) : h.recipes.length > 0)
            ? 'done'
            : h.keptFor.length > 0
              ? 'kept'
              : 'stale';
      return {
        stage: h.name,
        key: h.key,
        state,
        tasks: h.tasks,
        ...(onCluster(cluster, h.key) ? { cluster: onCluster(cluster, h.key)! } : {}),
        bytes: h.bytes,
        recipes: [...h.recipes, ...h.keptFor],
      };
    });
    if (options['json']) {
      for (const row of rows) terminal.stdout.write(`${JSON.stringify(row)}\n`);
      return 0;
    }
    terminal.stdout.write(`lake ${lake}: ${holder ? `being written by ${holder}` : 'nobody writes it'}\n\n`);
    const order = (name: string) => STAGES.findIndex((s) => s.name === name.split('.')[0]);
    const cells: Cell[][] = rows
      .toSorted((a, b) => order(a.stage) - order(b.stage))
      .map((r) => [
        r.stage,
        r.state,
        r.cluster ? `${r.tasks} of ${r.cluster.tasks}` : r.tasks,
        formatBytes(r.bytes),
        r.key,
        r.recipes.join(', '),
      ]);
    terminal.stdout.write(
      `${formatTable(['stage', 'state', 'tasks', 'size', 'key', 'last run of'], cells, terminalWidth(terminal))}\n`,
    );
    for (const { stage, failed, logs } of cluster) {
      terminal.stdout.write(`\n${stage}: a log a task in ${join(lake, logs)}\n`);
      for (const f of failed) terminal.stdout.write(`  ${f.task} failed on ${f.host} at ${f.time}: ${f.what}\n`);
    }
    if (rows.some((r) => r.state === 'kept'))
      terminal.stdout.write('\nkept: of the last run that reached the end, until the next one does\n');
    if (rows.some((r) => r.state === 'stale'))
      terminal.stdout.write('\nstale: no recipe stands for it any more; "garner gc" frees its space\n');
    return 0;
  },
});

const onCluster = (all: readonly StageTasks[], key: string) => all.find((s) => s.keys.includes(key));

/** `2 running, 5 queued, 1 failed`; what is in nobody's queue waits for the next run. */
function describe({ running, queued, failed }: StageTasks): string {
  const parts = [
    ...(running ? [`${running} running`] : []),
    ...(queued ? [`${queued} queued`] : []),
    ...(failed.length > 0 ? [`${failed.length} failed`] : []),
  ];
  return parts.length > 0 ? parts.join(', ') : running === null ? 'on a cluster' : 'unfinished';
}
