import { z } from 'zod';
import { FUNCTIONS } from './minhash.ts';

/** The recipe's section `dedup`. */
export const dedupRecipe = z
  .strictObject({
    threshold: z
      .number()
      .gt(0)
      .max(1)
      .default(0.8)
      .describe('least Jaccard similarity of 5-token shingles at which the shorter of two documents is dropped'),
    recall: z
      .number()
      .gt(0)
      .lt(1)
      .default(0.999)
      .describe('share of the pairs exactly at the threshold that must be found; bands and rows follow from both'),
    normalise: z
      .boolean()
      .default(false)
      .describe('compare near-duplicates without punctuation and in one Unicode form; exact ones always are'),
    functions: z
      .int()
      .min(8)
      .max(1024)
      .default(FUNCTIONS)
      .describe('MinHash functions in a signature [count]; more of them find more at a low threshold'),
    seed: z.int().nonnegative().default(1).describe('seed of the MinHash functions'),
    keep: z
      .enum(['longest', 'first'])
      .default('longest')
      .describe('which document of a group stays: the longest, or the first by source, URL and id'),
  })
  .describe('exact and near-duplicates: one document of each group is kept');

export type DedupRecipe = z.output<typeof dedupRecipe>;
