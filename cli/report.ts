import { openCatalog, type Catalog } from '../datasets/lake/catalog.ts';
import { formatTable, type Cell } from './table.ts';

type Row = Record<string, unknown>;

const rows = async (catalog: Catalog, sql: string): Promise<Row[]> =>
  (await catalog.connection.runAndReadAll(sql))
    .getRowObjects()
    .map((r) => Object.fromEntries(Object.entries(r).map(([k, v]) => [k, typeof v === 'bigint' ? Number(v) : v])));

/** What a run of the quickstart came to, read from the lake: pages, reasons, tokens, losses; and three queries to try next. */
export async function quickstartReport(lake: string, recipe: string, seconds: number, width: number): Promise<string> {
  const catalog = await openCatalog(lake, { recipe });
  try {
    const table: Cell[][] = [];
    const outcomes = await rows(catalog, `SELECT outcome, count(*) AS n FROM captures GROUP BY 1 ORDER BY n DESC`);
    table.push([
      'URLs touched',
      outcomes.reduce((n, o) => n + (o['n'] as number), 0),
      outcomes.map((o) => `${o['n'] as number} ${o['outcome'] as string}`).join(', '),
    ]);
    const [counts] = await rows(
      catalog,
      `SELECT count(*) AS documents, count(*) FILTER (WHERE keep) AS kept FROM documents`,
    );
    table.push(['documents', counts!['documents'] as number, ''], ['kept', counts!['kept'] as number, '']);
    const reasons = await rows(
      catalog,
      `SELECT reason, language, count(*) AS n FROM documents WHERE NOT keep GROUP BY ALL ORDER BY n DESC, reason`,
    );
    const byReason = new Map<string, number>();
    for (const r of reasons)
      byReason.set(r['reason'] as string, (byReason.get(r['reason'] as string) ?? 0) + (r['n'] as number));
    for (const [reason, n] of byReason) table.push([`dropped: ${reason}`, n, '']);
    const [duplicates] = await rows(
      catalog,
      `SELECT count(*) FILTER (WHERE kind = 'exact') AS exact, count(*) FILTER (WHERE kind = 'near') AS near FROM duplicates`,
    );
    table.push([
      'duplicates',
      (duplicates!['exact'] as number) + (duplicates!['near'] as number),
      `${duplicates!['exact'] as number} exact, ${duplicates!['near'] as number} near`,
    ]);
    const [tokens] = await rows(
      catalog,
      `SELECT coalesce(sum(length), 0)::BIGINT AS tokens, coalesce(sum(bytes), 0)::BIGINT AS bytes FROM shards`,
    );
    table.push([
      'tokens',
      tokens!['tokens'] as number,
      `${((tokens!['bytes'] as number) / Math.max(1, tokens!['tokens'] as number)).toFixed(2)} bytes a token`,
    ]);
    table.push(['seconds', Number(seconds.toFixed(1)), '']);
    const queries = [
      `garner sql "select language, count(*), sum(words) from documents where keep group by 1"`,
      `garner sql "select rule, count(*) from decisions where verdict = 'drop' group by 1 order by 2 desc"`,
      `garner sql "select title, url from documents where keep and language = 'zh' limit 5"`,
    ];
    return `\n${formatTable(['quickstart', '', ''], table, width)}\n\nTry next:\n${queries.map((q) => `  ${q}`).join('\n')}\n`;
  } finally {
    catalog.close();
  }
}
