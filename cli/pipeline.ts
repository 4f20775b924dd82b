import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { explainSystemError } from '../core/errors.ts';
import { parseRecipe } from '../core/recipe/read.ts';
import type { AnyStage } from '../core/stage/index.ts';
import { executorSection } from '../core/stage/slurm/settings.ts';
import { filesSection } from '../crawlers/archives/recipe.ts';
import { crawlSection } from '../crawlers/web/recipe.ts';
import crawl from '../crawlers/stages/crawl.ts';
import extract from '../crawlers/stages/extract.ts';
import index from '../crawlers/stages/index-archives.ts';
import read from '../crawlers/stages/read.ts';
import { dedupRecipe } from '../datasets/dedup/recipe.ts';
import dedup from '../datasets/dedup/stages/dedup.ts';
import signatures from '../datasets/dedup/stages/signatures.ts';
import { mixRecipe } from '../datasets/mix/recipe.ts';
import mix from '../datasets/mix/stage.ts';
import { maskSection } from '../filters/privacy/recipe.ts';
import { filtersSection } from '../filters/recipe.ts';
import judge from '../filters/stages/judge.ts';
import mask from '../filters/stages/mask.ts';
import measure from '../filters/stages/measure.ts';
import { tokenizerRecipe } from '../tokenizer/recipe.ts';
import shards from '../tokenizer/shards/stage.ts';
import tokenizer from '../tokenizer/train/stage.ts';
import { dpoSection, rewardSection } from '../trainer/align/recipe.ts';
import { grpoSection, ppoSection } from '../trainer/align/policy-recipe.ts';
import { finetuneSection, pretrainSection } from '../trainer/recipe.ts';
import dpo from '../trainer/stages/dpo.ts';
import finetune from '../trainer/stages/finetune.ts';
import grpo from '../trainer/stages/grpo.ts';
import ppo from '../trainer/stages/ppo.ts';
import pretrain from '../trainer/stages/pretrain.ts';
import reward from '../trainer/stages/reward.ts';

/** The arrow: every stage, in the order in which they run. They meet only here and through the lake's files. */
export const STAGES: readonly AnyStage[] = [
  crawl,
  index,
  read,
  extract,
  measure,
  judge,
  mask,
  signatures,
  dedup,
  mix,
  tokenizer,
  shards,
  pretrain,
  finetune,
  reward,
  dpo,
  grpo,
  ppo,
];

/** A recipe: one section a folder, each owned by the folder that reads it. */
export const recipeSchema = z.strictObject({
  name: z
    .string()
    .regex(/^[\p{L}\p{N}][\p{L}\p{N}._-]{0,99}$/u, 'letters, digits, ".", "_" and "-" only, at most 100')
    .refine((name) => Buffer.byteLength(name) <= 200, 'the name has more than 200 bytes: too long for a file')
    .describe('names the recipe, its lake and its runs'),
  crawl: crawlSection.optional(),
  files: filesSection.optional(),
  filters: filtersSection.optional(),
  mask: maskSection.optional(),
  dedup: dedupRecipe.optional(),
  mix: mixRecipe.optional(),
  tokenizer: tokenizerRecipe.optional(),
  pretrain: pretrainSection.optional(),
  finetune: finetuneSection.optional(),
  reward: rewardSection.optional(),
  dpo: dpoSection.optional(),
  grpo: grpoSection.optional(),
  ppo: ppoSection.optional(),
  executor: executorSection.optional(),
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
export function recipeOf(path: string, source: string): Recipe {
  const recipe: Recipe = parseRecipe(path, source, recipeSchema);
  // A model needs tokens, and tokens a selection: sections that others need are there with their defaults.
  if (recipe.pretrain) recipe.tokenizer ??= tokenizerRecipe.parse({});
  if (recipe.tokenizer) recipe.mix ??= mixRecipe.parse({});
  const from = (relative: string) => resolve(dirname(path), relative);
  for (const file of recipe.files ?? []) file.path = from(file.path);
  if (recipe.tokenizer?.file !== undefined) recipe.tokenizer.file = from(recipe.tokenizer.file);
  if (recipe.finetune && recipe.finetune.data !== 'builtin') recipe.finetune.data = from(recipe.finetune.data);
  if (recipe.finetune?.from !== undefined) recipe.finetune.from = from(recipe.finetune.from);
  for (const section of [recipe.grpo, recipe.ppo])
    if (section && section.prompts !== 'sums') section.prompts = from(section.prompts);
  for (const section of [recipe.reward, recipe.dpo]) if (section) section.data = [section.data].flat().map(from);
  return recipe;
}
