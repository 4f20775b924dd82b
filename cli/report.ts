import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { openCatalog, type Catalog } from '../datasets/lake/catalog.ts';
import type { Output } from '../core/stage/index.ts';
import { drawCurve } from './curve.ts';
import { formatTable, type Cell } from './table.ts';
import { short } from '../core/progress.ts';

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
    const runs = catalog.outputs.filter((o) => o.stage === 'pretrain' || o.stage === 'finetune');
    for (const run of runs) table.push(...aboutRun(catalog.lake, run));
    table.push(['seconds in all', Number(seconds.toFixed(1)), '']);
    const [pretrain] = runs;
    const losses = pretrain
      ? await rows(catalog, `SELECT step, loss FROM steps WHERE run = '${nameOf(pretrain)}' ORDER BY step`)
      : [];
    const queries = [
      `bin/garner sql "select language, count(*), sum(words) from documents where keep group by 1"`,
      `bin/garner sql "select rule, count(*) from decisions where verdict = 'drop' group by 1 order by 2 desc"`,
      `bin/garner sql "select title, url from documents where keep and language = 'zh' limit 5"`,
    ];
    const curve =
      losses.length > 0
        ? `\nloss of ${nameOf(pretrain!)} [nats a token]\n${drawCurve(
            losses.map((r) => [r['step'] as number, r['loss'] as number] as const),
            Math.min(width, 90),
            14,
          )}\n`
        : '';
    const lines = runs.flatMap((run) => samplesOf(catalog.lake, run)).join('\n');
    return `\n${formatTable(['quickstart', '', ''], table, width)}\n${curve}${lines && `\n${lines}\n`}\nTry next:\n${queries.map((q) => `  ${q}`).join('\n')}\n`;
  } finally {
    catalog.close();
  }
}

interface RunFacts {
  name: string;
  parameters: number;
  loss: { first: number; last: number };
  bits_per_byte: number | null;
  validation_loss: number | null;
}

const factsOf = (run: Output) => run.facts as unknown as RunFacts;
const nameOf = (run: Output): string => factsOf(run).name;

/** Lines of a run's file of JSON lines, or none. */
function journal<R>(lake: string, run: Output, file: string): R[] {
  const path = join(lake, 'runs', run.key, file);
  if (!existsSync(path)) return [];
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as R);
}

function aboutRun(lake: string, run: Output): Cell[][] {
  const { parameters, loss, bits_per_byte, validation_loss } = factsOf(run);
  const speeds = journal<{ tokens_per_second: number }>(lake, run, 'timing.jsonl')
    .map((t) => t.tokens_per_second)
    .toSorted((x, y) => x - y);
  const held = validation_loss === null ? '' : `held out ${validation_loss.toFixed(3)}`;
  return [
    [
      `${run.stage}: loss`,
      `${loss.first.toFixed(3)} → ${loss.last.toFixed(3)}`,
      `${run.counts['steps']} steps, ${short(parameters)} parameters${held && `, ${held}`}`,
    ],
    ...(bits_per_byte === null
      ? []
      : [[`${run.stage}: bits per byte`, bits_per_byte.toFixed(3), 'on the held-out documents']]),
    [`${run.stage}: tokens/s`, Math.round(speeds[speeds.length >> 1] ?? 0), 'median step'],
  ];
}

/** What the last step of a run sampled, a line each. */
function samplesOf(lake: string, run: Output): string[] {
  const samples = journal<{ step: number; prompt: string; text: string }>(lake, run, 'samples.jsonl');
  const last = samples.at(-1)?.step;
  return samples
    .filter((s) => s.step === last)
    .map((s) => `${run.stage} says: ${s.prompt} ▸ ${s.text.replace(/\s*\n\s*/g, ' ⏎ ').trim()}`);
}
