import { z } from 'zod';
import { SPLITS } from './encode/patterns.ts';

/** The recipe's section `tokenizer`. */
export const tokenizerRecipe = z.strictObject({
  vocabulary: z
    .int()
    .min(256)
    .max(1_000_000)
    .default(8192)
    .describe('bytes and merges together; special tokens come on top; up to 65,533 a token takes 2 bytes'),
  split: z.enum(SPLITS).default('cl100k').describe('how text is cut before merging: gpt2, cl100k or o200k'),
  sample_bytes: z
    .int()
    .min(1)
    .optional()
    .describe('training text at most [bytes]: documents in the order of their ids, which is random; all by default'),
  file: z.string().min(1).optional().describe('an existing tokenizer.json, taken as it is instead of training one'),
});

export type TokenizerRecipe = z.output<typeof tokenizerRecipe>;
