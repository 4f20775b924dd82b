import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { explainSystemError, GarnerError } from '../errors.ts';
import { writeAtomically } from '../files.ts';
import { readMarker, type Output } from '../stage/marker.ts';
import { FORMAT, readManifest, type RecipeManifest } from './layout.ts';

/** Creates the folder and lake.json where they are missing, and checks the format version. Returns the absolute path. */
export async function openLake(path: string): Promise<string> {
  const lake = resolve(path);
  const about = join(lake, 'lake.json');
  if (!existsSync(about)) {
    try {
      mkdirSync(lake, { recursive: true });
      // Another process may be making the same lake at this moment.
      if (readdirSync(lake).some((name) => !/^(?:\.|lake\.json(?:\.tmp-|$))/.test(name))) {
        throw new GarnerError({
          what: 'the folder holds other files and is no lake',
          where: path,
          hint: 'choose an empty or new folder with --lake DIR',
          fault: 2,
        });
      }
    } catch (error) {
      throw explainSystemError(error, path);
    }
    await writeAtomically(about, `${JSON.stringify({ format: FORMAT })}\n`);
  }
  return checkFormat(lake);
}

/** A lake that must exist already, for readers. */
export function existingLake(path: string): string {
  const lake = resolve(path);
  if (!existsSync(join(lake, 'lake.json'))) {
    throw new GarnerError({
      what: 'there is no lake here',
      where: path,
      hint: 'run "garner run RECIPE" first, or name another folder with --lake DIR',
      fault: 2,
    });
  }
  return checkFormat(lake);
}

function checkFormat(lake: string): string {
  const path = join(lake, 'lake.json');
  let format: unknown;
  try {
    format = (JSON.parse(readFileSync(path, 'utf8')) as { format?: unknown } | null)?.format;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw explainSystemError(error, path);
  }
  if (typeof format !== 'number') {
    throw new GarnerError({
      what: 'the file is damaged',
      where: path,
      hint: `it should say {"format":${FORMAT}}: write that into it if the lake was made by this version`,
    });
  }
  if (format !== FORMAT) {
    throw new GarnerError({
      what: `the lake has format ${format}, this garner reads ${FORMAT}`,
      where: lake,
      hint: 'use the garner that made it, or a new folder',
      fault: 2,
    });
  }
  return lake;
}

/** The manifests of all recipes that were run on this lake, by name. */
export function recipeManifests(lake: string): RecipeManifest[] {
  const folder = join(lake, 'recipes');
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .toSorted();
  return names.map((name) => readManifest(join(folder, name))).filter((m) => m !== null);
}

/** The finished outputs that the last runs stand for, each once. `recipe` narrows to one. */
export function currentOutputs(lake: string, recipe?: string): Output[] {
  const seen = new Map<string, Output>();
  for (const manifest of recipeManifests(lake)) {
    if (recipe !== undefined && manifest.name !== recipe) continue;
    for (const { stage, unit, key } of manifest.outputs) {
      const output = readMarker(lake, stage, unit, key);
      if (output) seen.set(`${stage}.${unit}/${key}`, output);
    }
  }
  return [...seen.values()];
}
