import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Flag, Options } from './command.ts';

/** `--lake`, the same in every command. */
export const LAKE_FLAG: Flag = {
  flag: '--lake <dir>',
  about: 'the lake (default: GARNER_LAKE, ./lake, or the newest in ./lakes)',
};

/** The lake that a reading command means: the option, GARNER_LAKE, ./lake, or the one in ./lakes that changed last. */
export function lakeOf(options: Options): string {
  const given = (options['lake'] as string | undefined) ?? process.env['GARNER_LAKE'];
  if (given) return given;
  if (existsSync(join('lake', 'lake.json')) || !existsSync('lakes')) return 'lake';
  const lakes = readdirSync('lakes')
    .map((name) => join('lakes', name))
    .filter((path) => existsSync(join(path, 'lake.json')));
  const age = (path: string) => statSync(existsSync(join(path, 'recipes')) ? join(path, 'recipes') : path).mtimeMs;
  return lakes.toSorted((a, b) => age(b) - age(a))[0] ?? 'lake';
}

/** The lake that a run writes: the option, GARNER_LAKE, or lakes/<recipe>. */
export const lakeFor = (options: Options, recipe: string): string =>
  (options['lake'] as string | undefined) ?? process.env['GARNER_LAKE'] ?? join('lakes', recipe);
