import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, type Dirent } from 'node:fs';
import { basename, join } from 'node:path';
import { readMarkerFile, type Output } from '../stage/marker.ts';
import { recipeManifests } from './lake.ts';

/** One output of a stage (or of a unit of it) on the disk, finished or not. */
export interface Holding {
  /** `judge` or `measure.gopher_quality`; the folder's name where no stage knows the key. */
  name: string;
  key: string;
  /** Null where the stage has not ended. */
  output: Output | null;
  /** Tasks that have ended [count]. */
  tasks: number;
  bytes: number;
  /** Paths of its folders, from the lake's root; that of the markers first. */
  folders: string[];
  /** Recipes whose last run stands for it. */
  recipes: string[];
  /** Recipes whose last run did not reach the end, and whose last whole one stands for it. */
  keptFor: string[];
}

const STAGES = 'stages';
const isKey = (name: string) => /^[0-9a-f]{16}$/.test(name);

/** Everything that stages made or began on this lake. Another process may write it meanwhile: what goes away is passed over. */
export function inventory(lake: string): Holding[] {
  const byKey = new Map<string, string[]>();
  for (const top of folders(lake))
    for (const second of folders(join(lake, top))) {
      const paths = isKey(second)
        ? [join(top, second)]
        : folders(join(lake, top, second))
            .filter(isKey)
            .map((key) => join(top, second, key));
      for (const path of paths) byKey.set(basename(path), [...(byKey.get(basename(path)) ?? []), path]);
    }
  const manifests = recipeManifests(lake);
  const found = [...byKey].map(([key, all]): Holding => {
    const markers = all.find((path) => path.startsWith(`${STAGES}/`));
    // A stage that runs on a cluster has orders and logs before it has markers.
    const begun = markers ?? all.find((path) => /^(?:orders|logs)\//.test(path));
    const name = begun?.split('/')[1] ?? all[0]!.split('/')[0]!;
    const named = (outputs: readonly { key: string }[] | undefined) => outputs?.some((o) => o.key === key) ?? false;
    return {
      name,
      key,
      output: markers === undefined ? null : readMarkerFile(join(lake, markers, 'done.json')),
      tasks: markers === undefined ? 0 : entries(join(lake, markers, 'tasks')).length,
      bytes: all.reduce((n, path) => n + size(join(lake, path)), 0),
      folders: all.toSorted((a, b) => Number(a !== markers) - Number(b !== markers) || (a < b ? -1 : 1)),
      recipes: manifests.filter((m) => named(m.outputs)).map((m) => m.name),
      keptFor: manifests.filter((m) => named(m.whole) && !named(m.outputs)).map((m) => m.name),
    };
  });
  return found.toSorted((a, b) => (a.name === b.name ? (a.key < b.key ? -1 : 1) : a.name < b.name ? -1 : 1));
}

/**
 * Removes a key: its markers first, so that a kill in between leaves nothing that counts; whole folders are moved away
 * before they are emptied, so that none is left half-full.
 */
export function remove(lake: string, holding: Holding): void {
  const away = join(lake, '.tmp', `gc-${process.pid}`);
  mkdirSync(away, { recursive: true });
  for (const [i, folder] of holding.folders.entries())
    if (existsSync(join(lake, folder))) renameSync(join(lake, folder), join(away, `${holding.key}-${i}`));
  rmSync(away, { recursive: true, force: true });
}

/** The entries of a folder, in order; none where it is not there (any more). */
function entries(path: string, recursive = false): Dirent[] {
  try {
    return readdirSync(path, { withFileTypes: true, recursive }).toSorted((a, b) => (a.name < b.name ? -1 : 1));
  } catch {
    return [];
  }
}

const folders = (path: string) =>
  entries(path)
    .filter((e) => e.isDirectory() && !e.name.startsWith('.'))
    .map((e) => e.name);

const size = (folder: string): number =>
  entries(folder, true).reduce(
    (n, e) => n + (e.isFile() ? (statSync(join(e.parentPath, e.name), { throwIfNoEntry: false })?.size ?? 0) : 0),
    0,
  );
