import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { GarnerError } from '../../core/errors.ts';
import { asset } from '../../core/root.ts';

/** A file of an npm package that holds data; the packages are development dependencies. */
export function packageFile(name: string, path: string): string {
  const full = join(asset('node_modules'), name, path);
  if (existsSync(full)) return full;
  throw new GarnerError({
    what: `the package ${name} is not installed, and the sample site is built from its texts`,
    where: full,
    hint: 'run "npm ci --ignore-scripts" in a checkout',
  });
}

/** Names of a package's data files with that ending, sorted. */
export const packageFiles = (name: string, folder: string, ending: string): string[] =>
  readdirSync(packageFile(name, folder))
    .filter((f) => f.endsWith(ending))
    .toSorted();

/** Lines of a compressed text of this folder. */
export const textLines = (name: string): string[] =>
  gunzipSync(readFileSync(asset(`examples/sample-site/texts/${name}`)))
    .toString('utf8')
    .split('\n')
    .map((l) => l.trim())
    .filter((l) => l !== '');

/**
 * Cuts paragraphs into stretches of at least `target` code units each; a last stretch of less than a third of that joins
 * the one before it.
 */
export function stretches(paragraphs: readonly string[], target: number): string[][] {
  const out: string[][] = [];
  let held: string[] = [];
  let size = 0;
  for (const paragraph of paragraphs) {
    held.push(paragraph);
    size += paragraph.length;
    if (size < target) continue;
    out.push(held);
    held = [];
    size = 0;
  }
  if (held.length === 0) return out;
  if (size < target / 3 && out.length > 0) out.at(-1)!.push(...held);
  else out.push(held);
  return out;
}
