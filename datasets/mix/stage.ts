import type { DuckDBConnection } from '@duckdb/node-api';
import { writeFile } from 'node:fs/promises';
import { stat } from 'node:fs/promises';
import { documentParts } from '../../core/lake/documents.ts';
import { quote } from '../../core/lake/duckdb.ts';
import { copyTo } from '../../core/lake/parquet.ts';
import { sha256File } from '../../core/hash.ts';
import { duckdbType, snapshot } from '../../core/records/index.ts';
import { defineStage, type TaskContext } from '../../core/stage/index.ts';
import { openScratch } from '../scratch.ts';
import type { MixRecipe } from './recipe.ts';
import { selectDocuments } from './select.ts';

type Params = Omit<MixRecipe, 'name'> & { name: string };

interface SnapshotFile {
  file: string;
  split: string;
  documents: number;
  bytes: number;
  sha256: string;
}

/** Kept documents → a snapshot: what a model is trained on, shuffled and split by seeded hashes of the ids. */
export default defineStage<{ name: string; mix?: MixRecipe | undefined }, Params>({
  name: 'mix',
  version: 1,
  module: 'datasets/mix/stage',
  inputs: ['read', 'extract', 'mask', 'measure', 'judge', 'dedup'],
  params: ({ name, mix: section }) => (section ? { ...section, name: section.name ?? name } : null),
  tasks: (inputs) => (documentParts(inputs).length > 0 ? [{ id: 'mix', input: null }] : []),
  async run(_task, p, io) {
    const scratch = await openScratch(io.scratch);
    try {
      const { db } = scratch;
      await scratch.lock([io.lake]);
      await selectDocuments(db, p, io);
      const files = [...(await writeSplit(db, 'train', io)), ...(await writeSplit(db, 'validation', io))];
      await copyTo(db, decisionsSql(p), io.file('decisions', 'part-00000.parquet'));
      const about = await describe(db, p, io.key(), files);
      await writeFile(io.file('snapshots', 'snapshot.json'), `${JSON.stringify(about, null, 2)}\n`);
      io.facts({ name: p.name });
      const { train, validation } = about.splits;
      return {
        train: train!.documents,
        validation: validation!.documents,
        shown: train!.shown,
        left_out: about.left_out,
      };
    } finally {
      scratch.close();
    }
  },
});

/** The files of one split, at least one, so that a reader finds its columns. */
async function writeSplit(db: DuckDBConnection, split: string, io: TaskContext): Promise<SnapshotFile[]> {
  const counts = await db.runAndReadAll(
    `SELECT file, count(*)::INTEGER FROM chosen WHERE split = ${quote(split)} GROUP BY file ORDER BY file`,
  );
  const found = counts.getRows().map(([file, n]) => ({ file: Number(file), documents: Number(n) }));
  const columns = Object.entries(snapshot.columns).map(([name, c]) => `"${name}"::${duckdbType(c)} AS "${name}"`);
  const files: SnapshotFile[] = [];
  for (const [i, { file, documents }] of (found.length > 0 ? found : [{ file: 0, documents: 0 }]).entries()) {
    const name = `${split}-${String(i).padStart(5, '0')}.parquet`;
    const path = io.file('snapshots', name);
    await copyTo(
      db,
      `SELECT ${columns.join(', ')} FROM chosen WHERE split = ${quote(split)} AND file = ${file} ORDER BY place, id`,
      path,
    );
    files.push({ file: name, split, documents, bytes: (await stat(path)).size, sha256: await sha256File(path) });
  }
  return files;
}

/** A row for each kept document that does not go in; `where` before weight, as it was asked. */
const decisionsSql = (p: Params): string =>
  `SELECT id AS subject_id, 'mix' AS stage, CASE WHEN fits THEN 'mix_weight' ELSE 'mix_where' END AS rule,
    NULL::VARCHAR AS filter, CASE WHEN fits THEN 'draw' END AS signal, CASE WHEN fits THEN draw END AS value,
    NULL::VARCHAR AS label, CASE WHEN fits THEN weight::VARCHAR ELSE ${quote(p.where ?? 'true')} END AS threshold,
    'drop' AS verdict, NULL::VARCHAR AS evidence
  FROM left_out ORDER BY id`;

interface Tally {
  documents: number;
  /** Documents times repeats: what an epoch shows. */
  shown: number;
  /** UTF-8 bytes of their texts. */
  bytes: number;
}

/** What snapshot.json says: enough to know, and to check, what the files are. */
async function describe(db: DuckDBConnection, p: Params, key: string, files: readonly SnapshotFile[]) {
  const tallies = async (by: string): Promise<Record<string, Tally>> => {
    const result = await db.runAndReadAll(
      `SELECT coalesce(${by}, 'unknown') AS name, count(*), sum(repeats), sum(strlen(text)) FROM chosen GROUP BY name ORDER BY name`,
    );
    return Object.fromEntries(
      result
        .getRows()
        .map(([name, documents, shown, bytes]) => [
          String(name),
          { documents: Number(documents), shown: Number(shown), bytes: Number(bytes) },
        ]),
    );
  };
  const none: Tally = { documents: 0, shown: 0, bytes: 0 };
  const left = await db.runAndReadAll('SELECT count(*)::INTEGER FROM left_out');
  return {
    format: 1,
    name: p.name,
    key,
    recipe: { mix: p },
    sql: p.where ?? null,
    seed: p.seed,
    files,
    splits: { train: none, validation: none, ...(await tallies('split')) } as Record<string, Tally>,
    left_out: Number(left.getRows()[0]![0]),
    sources: await tallies('source'),
    languages: await tallies('language'),
    licences: await tallies('licence'),
  };
}
