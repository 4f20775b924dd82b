import { z } from 'zod';

/** Kinds of input files; each has one reader. */
const FILE_TYPES = ['warc', 'jsonl', 'parquet', 'html'] as const;
export type FileType = (typeof FILE_TYPES)[number];

/** One entry of the recipe's `files`. */
const fileSource = z.strictObject({
  path: z.string().min(1).describe('a file, a folder (read with its sub-folders), or a pattern with * ? and **'),
  type: z
    .enum(FILE_TYPES)
    .optional()
    .describe(
      'what the files are; without it their names say so: .warc .arc .wet .jsonl .ndjson .parquet .html .htm .xhtml, each also .gz',
    ),
  name: z
    .string()
    .regex(/^[\p{L}\p{N}][\p{L}\p{N}._-]{0,99}$/u, 'letters, digits, ".", "_" and "-" only, 100 at most')
    .optional()
    .describe("the source's name in the lake; without it the name of the file (without extension) or folder"),
  text: z.string().min(1).default('text').describe('JSONL and Parquet: the column that holds the text'),
  id: z
    .string()
    .min(1)
    .optional()
    .describe('JSONL and Parquet: the column that names a record; without it "id" where there is one'),
  url: z
    .string()
    .min(1)
    .optional()
    .describe('JSONL and Parquet: the column with the URL; without it "url" where there is one'),
});
export type FileSource = z.output<typeof fileSource>;

/** The section `files`: text and archives that are on this machine already. */
export const filesSection = z
  .array(fileSource)
  .describe('files to read: JSON lines, Parquet, HTML pages, WARC archives')
  .superRefine((sources, context) => {
    const seen = new Map<string, number>();
    for (const [i, { name }] of sources.entries()) {
      if (name === undefined) continue;
      if (seen.has(name))
        context.addIssue({ code: 'custom', path: [i, 'name'], message: `two sources are called "${name}"` });
      seen.set(name, i);
    }
  });

/** The part of a recipe that the readers see. */
export interface FilesRecipe {
  files?: FileSource[] | undefined;
  /** At most so many documents of each source (`--limit`). */
  limit?: number | undefined;
}
