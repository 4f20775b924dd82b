import { createServer } from 'node:net';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeAtomically } from '../core/files.ts';
import { openLake } from '../core/lake/lake.ts';
import type { Progress } from '../core/progress.ts';
import { asset } from '../core/root.ts';
import { plan } from '../core/stage/index.ts';
import { serveSite } from '../examples/sample-site/server.ts';
import { buildSite } from '../examples/sample-site/site.ts';
import type { Terminal } from './command.ts';
import { recipeOf, STAGES, type Recipe } from './pipeline.ts';
import { runRecipe } from './run.ts';

/** The name of its recipe. */
export const QUICKSTART = 'quickstart';

/** The port that stands in examples/quickstart.yaml. */
const WRITTEN = 8765;

/**
 * The recipe of the quickstart for this lake. The port of the sample site is part of its URLs, and so of what the crawl
 * depends on: it is chosen free the first time and kept beside the lake, so that a stopped run goes on.
 */
async function quickstartRecipe(lake: string): Promise<{ recipe: Recipe; port: number }> {
  const kept = join(lake, '.site-port');
  mkdirSync(lake, { recursive: true });
  const before = existsSync(kept) ? Number(readFileSync(kept, 'utf8')) : 0;
  const port = Number.isInteger(before) && before > 0 && before < 65_536 ? before : await freePort();
  await writeAtomically(kept, `${port}\n`);
  const path = asset('examples/quickstart.yaml');
  return { recipe: recipeOf(path, readFileSync(path, 'utf8').replaceAll(`:${WRITTEN}`, `:${port}`)), port };
}

/** Serves the sample site where it is still to be crawled, and runs the quickstart's recipe. Returns the lake, absolute. */
export async function runQuickstart(
  args: { lake: string; until: string | undefined; workers: number | undefined; progress: Progress },
  terminal: Terminal,
): Promise<string> {
  const { until, workers, progress } = args;
  const lake = await openLake(args.lake);
  const { recipe, port } = await quickstartRecipe(lake);
  // A finished crawl needs no site any more.
  const crawled = plan({ lake, recipe, stages: STAGES, until: 'crawl' })[0]!.units[0]!.reused;
  const server = crawled ? null : await serveSite(buildSite(1), { port });
  if (server) progress.notice(`the sample site is served at ${server.url}`);
  try {
    await runRecipe({ lake, recipe, until, workers, progress }, terminal);
  } finally {
    await server?.close();
  }
  return lake;
}

async function freePort(): Promise<number> {
  const free = await tryPort(WRITTEN);
  return free ?? (await tryPort(0))!;
}

const tryPort = (port: number) =>
  new Promise<number | null>((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(null));
    server.listen(port, '127.0.0.1', () => {
      const { port: got } = server.address() as { port: number };
      server.close(() => resolve(got));
    });
  });
