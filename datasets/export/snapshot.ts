import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { GarnerError, nearest } from '../../core/errors.ts';
import { currentOutputs, recipeManifests } from '../../core/lake/lake.ts';
import { recipeManifestPath } from '../../core/lake/layout.ts';
import { readTable } from '../../core/lake/parquet.ts';
import { snapshot as table } from '../../core/records/index.ts';
import { filesIn, type Output } from '../../core/stage/index.ts';
import { damage, readMarker } from '../../core/stage/marker.ts';
import type { ExportDocument, Split } from './types.ts';

/** A published snapshot. */
export interface Snapshot {
  lake: string;
  name: string;
  key: string;
  output: Output;
  seed: number;
  /** The selection's SQL, or null. */
  sql: string | null;
  /** Documents times repeats by split, as snapshot.json has them. */
  shown: Record<Split, number>;
}

const nameOf = ({ facts: { name }, key }: Output): string => (typeof name === 'string' ? name : key);

/** Every finished snapshot of a lake: first those no recipe stands for any more, then those of recipes, the latest last. */
function allSnapshots(lake: string): Output[] {
  const age = (name: string) => statSync(recipeManifestPath(lake, name)).mtimeMs;
  const recipes = recipeManifests(lake).map((m) => m.name);
  const current = recipes
    .toSorted((a, b) => age(a) - age(b))
    .flatMap((recipe) => currentOutputs(lake, recipe).filter((o) => o.stage === 'mix'));
  const folder = join(lake, 'stages', 'mix');
  const others = (existsSync(folder) ? readdirSync(folder).toSorted() : [])
    .filter((key) => !current.some((o) => o.key === key))
    .flatMap((key) => readMarker(lake, 'mix', 'mix', key) ?? []);
  return [...others, ...current];
}

/**
 * A snapshot by its name or by the beginning of its key (at least 4 digits); the latest of several with one name. Throws a
 * GarnerError that names the snapshots there are, or that says which of its files is missing.
 */
export function findSnapshot(lake: string, wanted: string): Snapshot {
  const all = allSnapshots(lake);
  const output =
    all.findLast((o) => nameOf(o) === wanted) ??
    (wanted.length >= 4 ? all.findLast((o) => o.key.startsWith(wanted)) : undefined);
  if (!output) {
    const names = [...new Set(all.map(nameOf))];
    const guess = nearest(wanted, names);
    throw new GarnerError({
      what: `no snapshot is called "${wanted}"`,
      where: lake,
      hint:
        names.length === 0
          ? 'a recipe with a section "mix" or "tokenizer" makes one: garner run RECIPE'
          : `${guess ? `did you mean "${guess}"? ` : ''}(all snapshots: ${names.join(', ')})`,
      fault: 2,
    });
  }
  const trouble = damage(lake, output);
  if (trouble !== null)
    throw new GarnerError({ what: trouble, where: lake, hint: 'run the recipe again: what is damaged is made anew' });
  return { lake, name: nameOf(output), key: output.key, output, ...facts(lake, output) };
}

function facts(lake: string, output: Output): Pick<Snapshot, 'seed' | 'sql' | 'shown'> {
  const file = filesIn(output, 'snapshots').find((f) => basename(f.path) === 'snapshot.json');
  if (!file) throw new Error('the stage "mix" made no snapshot.json');
  const about = JSON.parse(readFileSync(join(lake, file.path), 'utf8')) as {
    seed: number;
    sql: string | null;
    splits: Record<Split, { shown: number }>;
  };
  const { train, validation } = about.splits;
  return { seed: about.seed, sql: about.sql, shown: { train: train.shown, validation: validation.shown } };
}

/** The files of a split, absolute, in their order. */
export const snapshotFiles = (snapshot: Snapshot, split: Split): string[] =>
  filesIn(snapshot.output, 'snapshots')
    .filter((f) => basename(f.path).startsWith(`${split}-`) && f.path.endsWith('.parquet'))
    .map((f) => join(snapshot.lake, f.path));

/** A document and how often an epoch shows it. */
export type Shown = ExportDocument & { text: Uint8Array; repeats: number };

/** The documents of a split in the snapshot's order, some two thousand at a time. */
export async function* readSnapshot(snapshot: Snapshot, split: Split): AsyncGenerator<Shown[]> {
  for (const file of snapshotFiles(snapshot, split))
    for await (const rows of readTable([file], table, { columns: ['id', 'text', 'repeats'] }))
      yield rows.map(({ id, text, repeats }) => {
        const utf8 = Buffer.from(text);
        return { id, text: utf8, tokens: null, bytes: utf8.length, repeats };
      });
}

/** The same, each as often as an epoch shows it: what formats of text take. */
export async function* repeated(batches: AsyncIterable<readonly Shown[]>): AsyncGenerator<ExportDocument[]> {
  for await (const batch of batches)
    yield batch.flatMap((document) => Array.from({ length: document.repeats }, () => document));
}
