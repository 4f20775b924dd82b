import { createServer } from 'node:net';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeAtomically } from '../core/files.ts';
import { asset } from '../core/root.ts';
import { recipeOf, type Recipe } from './pipeline.ts';

/** The port that stands in examples/quickstart.yaml. */
const WRITTEN = 8765;

/**
 * The recipe of the quickstart for this lake. The port of the sample site is part of its URLs, and so of what the crawl
 * depends on: it is chosen free the first time and kept beside the lake, so that a stopped run goes on.
 */
export async function quickstartRecipe(lake: string): Promise<{ recipe: Recipe; port: number }> {
  const kept = join(lake, '.site-port');
  mkdirSync(lake, { recursive: true });
  const before = existsSync(kept) ? Number(readFileSync(kept, 'utf8')) : 0;
  const port = Number.isInteger(before) && before > 0 && before < 65_536 ? before : await freePort();
  await writeAtomically(kept, `${port}\n`);
  const path = asset('examples/quickstart.yaml');
  return { recipe: recipeOf(path, readFileSync(path, 'utf8').replaceAll(`:${WRITTEN}`, `:${port}`)), port };
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
