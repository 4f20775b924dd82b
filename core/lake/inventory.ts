import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Output } from '../stage/marker.ts';
import { recipeManifests } from './lake.ts';

/** One output of a stage (or of a unit of it) on the disk, finished or not. */
export interface Holding {
  /** `judge` or `measure.gopher_quality`. */
  name: string;
  key: string;
  /** Null where the stage has not ended. */
  output: Output | null;
  /** Tasks that have ended [count]. */
  tasks: number;
  bytes: number;
  /** Recipes whose last run stands for it. */
  recipes: string[];
}

/** Everything that stages made or began on this lake. */
export function inventory(lake: string): Holding[] {
  const root = join(lake, 'stages');
  if (!existsSync(root)) return [];
  const manifests = recipeManifests(lake);
  return readdirSync(root)
    .toSorted()
    .flatMap((name) =>
      readdirSync(join(root, name))
        .toSorted()
        .map((key) => {
          const folder = join(root, name, key);
          const marker = join(folder, 'done.json');
          const output = existsSync(marker) ? (JSON.parse(readFileSync(marker, 'utf8')) as Output) : null;
          const tasks = existsSync(join(folder, 'tasks')) ? readdirSync(join(folder, 'tasks')).length : 0;
          const named = (m: (typeof manifests)[number]) =>
            m.outputs.some((o) => o.key === key && (o.unit === o.stage ? o.stage : `${o.stage}.${o.unit}`) === name);
          return {
            name,
            key,
            output,
            tasks,
            bytes: foldersOf(lake, key).reduce((n, f) => n + size(f), 0),
            recipes: manifests.filter(named).map((m) => m.name),
          };
        }),
    );
}

/** The folders of a key: they are named by it, one or two levels below the lake. */
export function foldersOf(lake: string, key: string): string[] {
  const found: string[] = [];
  for (const top of folders(lake)) {
    for (const second of folders(join(lake, top))) {
      if (second === key) found.push(join(lake, top, second));
      else if (existsSync(join(lake, top, second, key))) found.push(join(lake, top, second, key));
    }
  }
  return found;
}

/** Removes a key: its marker first, so that a kill in between leaves nothing that counts. */
export function remove(lake: string, holding: Holding): void {
  rmSync(join(lake, 'stages', holding.name, holding.key, 'done.json'), { force: true });
  for (const folder of foldersOf(lake, holding.key)) rmSync(folder, { recursive: true, force: true });
}

const folders = (path: string) =>
  readdirSync(path, { withFileTypes: true })
    .filter((e) => e.isDirectory() && !e.name.startsWith('.'))
    .map((e) => e.name)
    .toSorted();

function size(folder: string): number {
  return readdirSync(folder, { withFileTypes: true, recursive: true }).reduce(
    (n, e) => n + (e.isFile() ? statSync(join(e.parentPath, e.name)).size : 0),
    0,
  );
}
