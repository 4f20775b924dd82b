import { openCatalog } from '../../datasets/lake/catalog.ts';
import { stats, type Group } from '../../datasets/lake/stats.ts';
import { LAKE_FLAG, lakeOf } from '../lake.ts';
import { defineCommand } from '../command.ts';
import { wholeNumber } from '../arguments.ts';
import { formatBytes, formatTable, terminalWidth } from '../table.ts';

export default defineCommand({
  name: 'stats',
  summary: 'documents, bytes and tokens by source, language, domain and reason; the funnel',
  options: [
    LAKE_FLAG,
    { flag: '--recipe <name>', about: 'whose outputs (default: the recipe that ran last)' },
    { flag: '--top <n>', about: 'rows of each table', default: 12, parse: wholeNumber('--top', 1) },
    { flag: '--json', about: 'one JSON object' },
  ],
  examples: ['garner stats --lake lakes/quickstart'],
  async run(_, options, terminal) {
    const catalog = await openCatalog(lakeOf(options), { recipe: options['recipe'] as string | undefined });
    try {
      const found = await stats(catalog);
      if (options['json']) {
        terminal.stdout.write(`${JSON.stringify(found)}\n`);
        return 0;
      }
      const width = terminalWidth(terminal);
      const most = Math.max(1, ...found.funnel.map((f) => f.documents));
      const bar = (n: number) => '█'.repeat(Math.round((n / most) * 24)) || (n > 0 ? '▏' : '');
      const print = (text: string) => terminal.stdout.write(`${text}\n`);
      print(
        formatTable(
          ['funnel', 'documents', 'size', 'tokens', ''],
          found.funnel.map((f) => [
            f.step,
            f.documents,
            f.bytes === null ? '' : formatBytes(f.bytes),
            f.tokens,
            bar(f.documents),
          ]),
          width,
        ),
      );
      const top = options['top'] as number;
      for (const [name, groups] of Object.entries(found.by) as [string, Group[]][]) {
        const shown = groups.slice(0, top).map((g) => [g.name, g.documents, g.kept, formatBytes(g.bytes), g.tokens]);
        print(`\n${formatTable([name, 'documents', 'kept', 'size', 'tokens'], shown, width)}`);
        if (groups.length > top) print(`(and ${groups.length - top} more; --top N)`);
      }
      if (found.outcomes.length > 0)
        print(
          `\n${formatTable(
            ['outcome', 'reason', 'captures'],
            found.outcomes.map((o) => [o.outcome, o.reason, o.count]),
            width,
          )}`,
        );
      return 0;
    } finally {
      catalog.close();
    }
  },
});
