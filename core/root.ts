import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(import.meta.url);

/** The folder that holds package.json: the same for sources and for dist/. */
export const packageRoot: string = (() => {
  let folder = dirname(here);
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  return folder;
})();

/** A file that ships beside the sources and is not compiled (C, JSON, word lists), by its path from the root. */
export const asset = (path: string): string => join(packageRoot, path);

/** The compiled form of a source module, by its path from the root without extension. */
export const compiledModule = (module: string): string => join(packageRoot, 'dist', `${module}.js`);

export const garnerVersion: string = (
  JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as { version: string }
).version;

/** The installed version of a dependency, wherever npm has put it: part of a stage's key where it changes output. */
export function dependencyVersion(name: string): string {
  for (const folder of createRequire(import.meta.url).resolve.paths(name) ?? []) {
    const path = join(folder, name, 'package.json');
    if (existsSync(path)) return (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version;
  }
  return 'unknown';
}
