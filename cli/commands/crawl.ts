import { join } from 'node:path';
import { crawlSection } from '../../crawlers/web/recipe.ts';
import { GarnerError } from '../../core/errors.ts';
import { fileList, quote } from '../../core/lake/duckdb.ts';
import { currentOutputs } from '../../core/lake/lake.ts';
import { queryRows } from '../../core/lake/parquet.ts';
import { defineCommand, type Options } from '../command.ts';
import type { Recipe } from '../pipeline.ts';
import { runRecipe, wholeNumber } from '../run.ts';
import { formatBytes, formatTable, terminalWidth } from '../table.ts';

const list = (value: string, previous?: unknown): string[] => [...((previous as string[] | undefined) ?? []), value];

const seconds = (value: string): number => {
  const n = Number(value);
  if (value.trim() === '' || !Number.isFinite(n) || n < 0)
    throw new GarnerError({
      what: `--delay is "${value}"`,
      where: 'argument',
      hint: 'seconds are expected, e.g. 0.5',
      fault: 2,
    });
  return n;
};

/** `example.org/docs` → `https://example.org/docs`; what is no URL is said in one sentence. */
function seedOf(text: string): string {
  const url = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `https://${text}`;
  if (URL.canParse(url) && /^https?:$/.test(new URL(url).protocol)) return url;
  throw new GarnerError({
    what: 'this is no http or https URL',
    where: text,
    hint: 'for example: garner crawl https://example.org/',
    fault: 2,
  });
}

/** The section of a recipe that the command line stands for. */
function sectionOf(seeds: readonly string[], options: Options) {
  const parsed = crawlSection.safeParse({
    seeds,
    allow: options['allow'],
    depth: options['depth'],
    max_pages: options['maxPages'],
    delay: options['delay'],
    contact: options['contact'],
    scope: { include: options['include'], exclude: options['exclude'] },
    browser: options['browser'] === false ? 'never' : 'auto',
  });
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  throw new GarnerError({
    what: issue.message,
    where: issue.path.join('.'),
    hint: 'see "garner crawl --help"',
    fault: 2,
  });
}

export default defineCommand({
  name: 'crawl',
  summary: 'crawl a website, with manners, into WARC files and a table of captures',
  arguments: [{ name: '<urls...>', about: 'where to begin; links to other hosts are not followed' }],
  options: [
    { flag: '--out <dir>', about: 'a lake for what is captured (default: lakes/<host>)' },
    { flag: '--depth <n>', about: 'links followed from a URL (default: 20)', parse: wholeNumber('--depth') },
    {
      flag: '--max-pages <n>',
      about: 'pages asked for at most (default: 100000)',
      parse: wholeNumber('--max-pages', 1),
    },
    { flag: '--delay <seconds>', about: 'between two requests to one host (default: 1)', parse: seconds },
    {
      flag: '--allow <host>',
      about: 'a host on a loopback or private address that may be asked; repeatable',
      parse: list,
    },
    { flag: '--include <pattern>', about: 'only these URLs, e.g. "/docs/*"; repeatable', parse: list },
    { flag: '--exclude <pattern>', about: 'not these URLs; repeatable', parse: list },
    { flag: '--contact <text>', about: 'URL or mail address in the user agent' },
    { flag: '--no-browser', about: 'never open a browser, also for pages that only JavaScript fills' },
    { flag: '--json', about: 'the summary as JSON lines' },
  ],
  examples: [
    'garner crawl https://example.org/ --max-pages 500',
    'garner crawl http://127.0.0.1:8080/ --allow 127.0.0.1 --delay 0 --out lakes/local',
  ],
  async run(urls, options, terminal) {
    const seeds = urls.map(seedOf);
    const name = new URL(seeds[0]!).host.replace(/[^\p{L}\p{N}._-]+/gu, '-');
    const lake = (options['out'] as string | undefined) ?? join('lakes', name);
    const recipe = { name, crawl: sectionOf(seeds, options) } as unknown as Recipe;
    await runRecipe({ lake, recipe, until: 'crawl', workers: 1 }, terminal);
    const output = currentOutputs(lake, name).find((o) => o.stage === 'crawl')!;
    const tables = output.files.filter((f) => f.path.endsWith('.parquet')).map((f) => join(lake, f.path));
    const rows = await queryRows(
      `SELECT outcome, reason, count(*) AS urls, coalesce(sum(bytes), 0) AS bytes FROM read_parquet(${fileList(tables)})
       GROUP BY outcome, reason ORDER BY outcome = ${quote('fetched')} DESC, outcome, urls DESC, reason`,
    );
    if (options['json']) {
      for (const row of rows) terminal.stdout.write(`${JSON.stringify(row)}\n`);
      return 0;
    }
    const cells = rows.map((r) => [
      r['outcome'] as string,
      r['reason'] as string | null,
      r['urls'] as number,
      formatBytes(Number(r['bytes'])),
    ]);
    terminal.stdout.write(`${formatTable(['outcome', 'reason', 'urls', 'payload'], cells, terminalWidth(terminal))}\n`);
    const archives = output.files.filter((f) => f.path.endsWith('.warc.gz'));
    for (const file of archives) terminal.stdout.write(`${join(lake, file.path)}  ${formatBytes(file.bytes)}\n`);
    return 0;
  },
});
