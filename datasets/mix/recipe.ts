import { z } from 'zod';
import { keyOf } from '../../core/hash.ts';

const weight = z.number().nonnegative().max(100);

/** The recipe's section `mix`. */
export const mixRecipe = z
  .strictObject({
    name: z
      .string()
      .regex(/^[\p{L}\p{N}][\p{L}\p{N}._-]{0,99}$/u, 'letters, digits, ".", "_" and "-" only')
      .optional()
      .describe('name of the snapshot; the recipe’s own where it is not given'),
    where: z
      .string()
      .optional()
      .describe(
        "which kept documents go in: an SQL expression over id, url, domain, source, title, author, published, language, licence, words, characters, bytes, metadata, text and each measured filter, e.g. language = 'en' and gopher_quality.words > 100",
      ),
    sources: z
      .record(z.string(), weight)
      .default({})
      .describe('weight of each source, 1 where not named: 2 shows a document twice an epoch, 0.5 takes a seeded half'),
    by: z
      .array(
        z.strictObject({
          where: z.string().describe('SQL expression over the same columns'),
          weight: weight.describe('weight of the documents that fit; multiplies the source’s'),
        }),
      )
      .default([])
      .describe('weights by SQL: the first that fits counts'),
    validation: z
      .strictObject({
        share: z.number().min(0).max(0.5).default(0.01).describe('documents held out [share]'),
        seed: z.int().nonnegative().default(1).describe('seed of the split'),
      })
      .prefault({})
      .describe('documents never trained on, chosen by a hash of seed and id: the same ones as the corpus grows'),
    seed: z.int().nonnegative().default(1).describe('seed of the order and of fractional weights'),
  })
  .describe('what a model is trained on: selection, weights and split, published as a snapshot');

export type MixRecipe = z.output<typeof mixRecipe>;

/**
 * The mix of `garner train --where`: what the recipe selects, narrowed by another expression, under a name of its own, so
 * that both snapshots stand side by side.
 */
export function narrowed(mix: MixRecipe | undefined, name: string, where: string): MixRecipe {
  const base = mix ?? mixRecipe.parse({});
  const both = base.where === undefined ? where : `(${base.where}\n) AND (${where}\n)`;
  return { ...base, where: both, name: `${base.name ?? name}-${keyOf(where).slice(0, 8)}` };
}
