import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Raised when older lakes cannot be read any more; stands in lake.json and in every key. */
export const FORMAT = 1;

/**
 * Where the files of an output lie, from the lake's root. Signals and decisions are grouped by who measured or decided,
 * so that one filter's files can be read, and removed, alone.
 */
export function outputFolder(folder: string, stage: string, unit: string, key: string): string {
  if (folder === 'signals') return join(folder, unit, key);
  if (folder === 'decisions') return join(folder, unit === stage ? stage : `${stage}.${unit}`, key);
  return join(folder, key);
}

/** Where the manifest of a recipe lies. */
export const recipeManifestPath = (lake: string, name: string): string => join(lake, 'recipes', `${name}.json`);

/** Which output of each stage the last run of a recipe stands for. Views show these and no others. */
export interface RecipeManifest {
  name: string;
  /** The recipe as it was read, defaults filled in. */
  recipe: unknown;
  outputs: { stage: string; unit: string; key: string }[];
  /** Outputs of the last run that reached the end, where the last one did not: views do not show them, gc keeps them. */
  whole?: RecipeManifest['outputs'];
}

/** A recipe's manifest; null where there is none or a power loss damaged it: the next run of the recipe writes it again. */
export function readManifest(path: string): RecipeManifest | null {
  try {
    const manifest = JSON.parse(readFileSync(path, 'utf8')) as RecipeManifest | null;
    return typeof manifest?.name === 'string' && Array.isArray(manifest.outputs) ? manifest : null;
  } catch {
    return null;
  }
}
