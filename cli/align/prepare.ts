import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve, sep } from 'node:path';
import { GarnerError } from '../../core/errors.ts';
import { fileList } from '../../core/lake/duckdb.ts';
import { currentOutputs } from '../../core/lake/lake.ts';
import { queryRows } from '../../core/lake/parquet.ts';
import type { Progress } from '../../core/progress.ts';
import { asset } from '../../core/root.ts';
import { filesIn } from '../../core/stage/index.ts';
import { writeAlignData } from '../../examples/align/write.ts';
import type { Terminal } from '../command.ts';
import { recipeOf, type Recipe } from '../pipeline.ts';
import { runQuickstart } from '../quickstart.ts';

/** The folder that examples/align.yaml names, from the recipe's own. */
const WRITTEN = '../lakes/align-data';

/** Where the prompts of the table lie. */
export const TEST_FILE = 'test.jsonl';

/** The recipe, with the data in `folder` instead of the place that is written in it. */
export function alignRecipe(folder: string): Recipe {
  const path = asset('examples/align.yaml');
  const written = resolve(dirname(path), WRITTEN) + sep;
  const moved = (value: unknown): unknown => {
    if (typeof value === 'string') return value.startsWith(written) ? join(folder, value.slice(written.length)) : value;
    if (Array.isArray(value)) return value.map(moved);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, moved(member)]));
  };
  return moved(recipeOf(path, readFileSync(path, 'utf8'))) as Recipe;
}

/** Makes what the recipe reads: texts from the quickstart's snapshot, which is made first where it is missing, and made sums and answers. */
export async function prepareAlign(
  { folder, quickstart, workers }: { folder: string; quickstart: string; workers: number | undefined },
  terminal: Terminal,
  progress: Progress,
): Promise<void> {
  progress.notice(
    `text: the snapshot of ${quickstart}${existsSync(join(quickstart, 'lake.json')) ? '' : ', which is made first'}`,
  );
  const lake = await runQuickstart({ lake: quickstart, until: 'mix', workers, progress }, terminal);
  const mix = currentOutputs(lake, 'quickstart').find((o) => o.stage === 'mix');
  const files = filesIn(mix, 'snapshots').filter((f) => f.path.endsWith('.parquet'));
  if (files.length === 0)
    throw new GarnerError({
      what: 'the quickstart has no snapshot',
      where: quickstart,
      hint: 'run "npm run quickstart"',
    });
  const texts = await queryRows(
    `SELECT id, url, language, licence, text FROM read_parquet(${fileList(files.map((f) => join(lake, f.path)))}) ORDER BY id`,
  );
  await writeAlignData(folder, texts as { text: string }[]);
}
