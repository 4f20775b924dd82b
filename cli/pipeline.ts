import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { explainSystemError } from '../core/errors.ts';
import { parseRecipe } from '../core/recipe/read.ts';
import type { AnyStage } from '../core/stage/index.ts';

/** The arrow: every stage, in the order in which they run. A stage meets the others only here and through the lake's files. */
export const STAGES: readonly AnyStage[] = [];

/** A recipe: one section a folder, each owned by the folder that reads it. */
export const recipeSchema = z.strictObject({
  name: z
    .string()
    .regex(/^[\p{L}\p{N}][\p{L}\p{N}._-]{0,99}$/u, 'letters, digits, ".", "_" and "-" only')
    .describe('names the recipe, its lake and its runs'),
});

export type Recipe = z.output<typeof recipeSchema> & Record<string, unknown>;

/** Reads and checks a recipe file; relative paths in it are taken from the file's own folder. */
export function loadRecipe(path: string): Recipe {
  try {
    return recipeOf(path, readFileSync(path, 'utf8'));
  } catch (error) {
    throw explainSystemError(error, path);
  }
}

/** The same for text in hand; `path` says where it came from. */
export const recipeOf = (path: string, source: string): Recipe => parseRecipe(path, source, recipeSchema);
