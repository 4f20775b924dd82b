import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeAtomically } from '../../core/files.ts';
import { trainTokenizer } from '../../tokenizer/train/index.ts';
import { writeTokenizerJson } from '../../tokenizer/encode/index.ts';
import { makeAlignFiles, type Line } from './data.ts';

/** Merges and bytes of the small tokenizer. */
const VOCABULARY = 2048;

/** Writes the files that examples/align.yaml names into a folder; a file that has its content already is left alone. */
export async function writeAlignData(folder: string, texts: readonly (Line & { text: string })[]): Promise<void> {
  const files = makeAlignFiles(1);
  for (const [name, lines] of [...Object.entries(files), ['texts', texts] as const])
    await writeWhere(join(folder, `${name}.jsonl`), lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  const all = [...texts, ...(files.sums as (Line & { text: string })[]).slice(0, 200)];
  const { vocabulary } = await trainTokenizer(
    (function* () {
      for (const { text } of all) yield Buffer.from(digitsApart(text));
    })(),
    { split: 'cl100k', vocabulary: VOCABULARY },
  );
  await writeWhere(join(folder, 'tokenizer.json'), writeTokenizerJson(vocabulary));
}

/** Each digit is a token of its own where no two were ever seen together: sums are learned digit by digit. */
const digitsApart = (text: string): string => text.replace(/\p{N}(?=\p{N})/gu, '$& ');

async function writeWhere(path: string, content: string): Promise<void> {
  if (!existsSync(path) || readFileSync(path, 'utf8') !== content) await writeAtomically(path, content);
}
