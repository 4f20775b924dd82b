import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { inventory, remove } from '../../core/lake/inventory.ts';
import { existingLake } from '../../core/lake/lake.ts';
import { lockLake } from '../../core/lake/lock.ts';
import { defineCommand } from '../command.ts';
import { LAKE_FLAG, lakeOf } from '../lake.ts';
import { formatBytes, formatTable, terminalWidth } from '../table.ts';

export default defineCommand({
  name: 'gc',
  summary: 'free the space of outputs that no recipe stands for any more',
  options: [
    LAKE_FLAG,
    { flag: '--dry-run', about: 'only say what would go' },
    { flag: '--snapshots', about: 'also published snapshots that no recipe names' },
    { flag: '--unfinished', about: 'also what a stopped run began (a crawl would start anew)' },
    { flag: '--wait', about: 'wait where another process writes the lake' },
  ],
  examples: ['garner gc --lake lakes/quickstart --dry-run'],
  async run(_, options, terminal) {
    const lake = existingLake(lakeOf(options));
    const lock = await lockLake(lake, { wait: options['wait'] === true });
    try {
      // What a gc or a run that was killed had in its hands.
      if (!options['dryRun']) rmSync(join(lake, '.tmp'), { recursive: true, force: true });
      const going = inventory(lake).filter(
        (h) =>
          h.recipes.length === 0 &&
          h.keptFor.length === 0 &&
          (h.output !== null || options['unfinished']) &&
          (h.name !== 'mix' || options['snapshots']),
      );
      if (going.length === 0) {
        terminal.stdout.write('nothing to free\n');
        return 0;
      }
      const bytes = going.reduce((n, h) => n + h.bytes, 0);
      terminal.stdout.write(
        `${formatTable(
          ['stage', 'key', 'size'],
          going.map((h) => [h.name, h.key, formatBytes(h.bytes)]),
          terminalWidth(terminal),
        )}\n`,
      );
      if (!options['dryRun']) for (const holding of going) remove(lake, holding);
      terminal.stdout.write(`${options['dryRun'] ? 'would free' : 'freed'} ${formatBytes(bytes)}\n`);
      return 0;
    } finally {
      lock.release();
    }
  },
});
