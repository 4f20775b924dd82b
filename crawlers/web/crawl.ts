import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { garnerVersion } from '../../core/root.ts';
import type { Capture } from '../../core/records/index.ts';
import { createGuard } from './address.ts';
import { noBrowser, openBrowser } from './browser.ts';
import { emptyRow, type Entry } from './entry.ts';
import { openFrontierLog, type Settled } from './frontier-log.ts';
import { createHosts } from './hosts.ts';
import { AGENT } from './page.ts';
import { pumpWithCrawlee } from './pump.ts';
import type { CrawlRecipe } from './recipe.ts';
import { walkRounds, type Manners } from './rounds.ts';
import { createScope, pathAndQuery } from './url.ts';
import { createVisitor } from './visit.ts';
import { openWarcWriter } from './warc-writer.ts';

export interface CrawlOptions {
  recipe: CrawlRecipe;
  /** Folder for the WARC files (absolute), and how rows name it. */
  warcFolder: string;
  warcFolderInRows: string;
  /** Folder for the frontier's log (absolute); a crawl that was killed goes on from it. */
  scratch: string;
  /** Path of a Chromium for pages that need one; null: there is none. */
  chromium: string | null;
  notice: (text: string) => void;
  progress: (done: number, open: number, note: string) => void;
}

export interface CrawlResult {
  /** One row a URL that was touched, sorted by URL. */
  rows: Capture[];
  /** Names of the WARC files. */
  files: string[];
  /** Links to hosts outside the crawl [count]. */
  outside: number;
}

const ROTATE_AT = 1_000_000_000;
const SYNC_EVERY_MS = 1000;
const MOST_AT_ONCE = 32;
/** Failures in a row after which a site counts as down. */
const MOST_FAILURES = 5;
const DOWN = new Set(['connect', 'dns', 'disconnect', 'timeout']);

interface Job {
  entry: Entry;
  lane: number;
  attempt: number;
}

/**
 * Crawls what a recipe asks for and writes it to WARC files. Everything that is settled stands in the frontier's log before
 * it counts: after a kill the same call goes on at once, and asks again only for what was under way.
 */
export async function crawl(o: CrawlOptions): Promise<CrawlResult> {
  const { recipe } = o;
  const sound = ({ warc }: Settled) =>
    warc === null ||
    (existsSync(join(o.warcFolder, warc.file)) && statSync(join(o.warcFolder, warc.file)).size >= warc.end);
  const log = openFrontierLog(join(o.scratch, 'frontier.log'), sound);
  const userAgent = `garner/${garnerVersion}${recipe.contact ? ` (+${recipe.contact})` : ''}`;
  const writer = openWarcWriter({
    folder: o.warcFolder,
    prefix: 'crawl',
    rotateAt: ROTATE_AT,
    info: [
      ['robots', 'obey'],
      ['http-header-user-agent', userAgent],
      ...(recipe.contact ? ([['operator', recipe.contact]] as [string, string][]) : []),
    ],
    resume: log.warcEnd,
  });
  const scope = createScope(recipe);
  const guard = createGuard(
    recipe.allow,
    recipe.seeds.map((s) => new URL(s).port).filter((p) => p !== ''),
  );
  const browser =
    recipe.browser === 'auto' && o.chromium !== null
      ? openBrowser({
          executable: o.chromium,
          guard,
          userAgent,
          timeoutMs: recipe.timeout * 1000,
          maxBytes: recipe.max_bytes,
          notice: o.notice,
        })
      : noBrowser;
  const visitor = createVisitor({
    recipe,
    scope,
    guard,
    writer,
    browser,
    userAgent,
    agent: AGENT,
    folder: o.warcFolderInRows,
  });
  const hosts = createHosts<Entry>(recipe.parallel);
  const attempts = new Map<string, number>();
  const failures = new Map<string, number>();
  let manners: Manners = { delay: () => recipe.delay, signals: () => [], may: () => true };
  let batchDone: (() => void) | null = null;
  let over = false;

  const settle = async (entries: readonly Entry[], m: Manners): Promise<(url: string) => Settled> => {
    manners = m;
    for (const e of entries) if (!log.has(e.url)) hosts.add(e);
    if (hosts.open > 0) await new Promise<void>((resolve) => (batchDone = resolve));
    return (url) => log.get(url);
  };
  /** A site that cannot be reached several times in a row is left alone: what waits for it has failed. */
  const closeIfDown = (entry: Entry, row: Capture) => {
    const down = row.outcome === 'failed' && row.status === null && DOWN.has(row.reason ?? '');
    const count = down ? (failures.get(entry.site) ?? 0) + 1 : 0;
    failures.set(entry.site, count);
    if (count < MOST_FAILURES) return;
    for (const e of hosts.drop(entry.site)) {
      const left = emptyRow(recipe.name, e, 'failed', 'host_down');
      const robots = e.kind === 'robots' ? { text: null, reason: 'robots_unreachable' } : undefined;
      log.append(e.url, { row: left, links: [], outside: 0, robots, warc: null });
    }
  };
  const run = async ({ entry, lane, attempt }: Job) => {
    const { settled, againAfterMs } = await visitor.visit(entry, lane, attempt, manners);
    if (againAfterMs === null) {
      log.append(entry.url, settled);
      closeIfDown(entry, settled.row);
    }
    const pause = Math.max(againAfterMs ?? 0, manners.delay(entry) * 1000);
    hosts.done(entry, lane, Date.now(), pause, againAfterMs !== null);
    o.progress(log.size, hosts.open, `${log.size} URLs, ${entry.site}${pathAndQuery(new URL(entry.url))}`);
    if (hosts.open === 0) batchDone?.();
  };
  const work = {
    name: (job: Job) => `${job.attempt} ${job.entry.url}`,
    url: (job: Job) => job.entry.url,
    ready: () => hosts.ready(Date.now()),
    take: () => {
      const found = hosts.take(Date.now());
      if (!found) return null;
      const attempt = (attempts.get(found.entry.url) ?? 0) + 1;
      attempts.set(found.entry.url, attempt);
      return { ...found, attempt };
    },
    run,
    finished: () => over,
    counts: () => ({ done: log.size, open: hosts.open }),
  };
  // The WARC first: what the log says of it must be there.
  const flush = async () => {
    await writer.sync();
    await log.sync();
  };
  const timer = setInterval(() => void flush().catch(() => {}), SYNC_EVERY_MS);
  try {
    const walk = walkRounds({ recipe, scope, agent: AGENT, settle }).finally(() => (over = true));
    const pump = pumpWithCrawlee(work, MOST_AT_ONCE);
    // A failed write ends the pump and leaves the walk waiting; a fault of the walk ends both.
    const result = await Promise.race([walk, pump.then(() => walk)]).finally(async () => {
      over = true;
      await pump.catch(() => {});
    });
    return { rows: gather(log.all(), result.rows, result.reasons), files: writer.files(), outside: result.outside };
  } finally {
    clearInterval(timer);
    writer.close();
    log.close();
    await Promise.all([visitor.close(), browser.close()]);
  }
}

/** All rows, one a URL, sorted by URL. */
function gather(
  settled: Iterable<Settled>,
  others: readonly Capture[],
  reasons: ReadonlyMap<string, string>,
): Capture[] {
  const byUrl = new Map<string, Capture>();
  for (const { row } of settled) byUrl.set(row.url, { ...row, reason: reasons.get(row.url) ?? row.reason });
  for (const row of others) if (!byUrl.has(row.url)) byUrl.set(row.url, row);
  return [...byUrl.values()].toSorted((a, b) => (a.url < b.url ? -1 : 1));
}
