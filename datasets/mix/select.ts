import type { DuckDBConnection } from '@duckdb/node-api';
import { join } from 'node:path';
import { nearest } from '../../core/errors.ts';
import { documentParts } from '../../core/lake/documents.ts';
import { fileList, quote } from '../../core/lake/duckdb.ts';
import { filesIn, only, type TaskContext } from '../../core/stage/index.ts';
import { checkMix, expressionError } from './expression.ts';
import type { MixRecipe } from './recipe.ts';
import { mixNames, partSql } from './view.ts';

/** Text in one file of a snapshot [bytes of UTF-8]. */
const FILE_BYTES = 64 << 20;

/** A number from 0 up to 1 that a seed, a purpose and a document's id decide alone: 52 bits of SHA-256. */
const draw = (seed: number, purpose: string, id: string) =>
  `(('0x' || substr(sha256(${quote(`${seed}:${purpose}:`)} || ${id}), 1, 13))::BIGINT / 4503599627370496)`;

/**
 * Makes the tables of a mix: `chosen` (a row a document that goes in, with its text, split, repeats, file number and
 * place) and `left` (a row a document that does not, with the rule). Only documents that nothing dropped are looked at.
 * Works part by part; the database is locked already.
 */
export async function selectDocuments(db: DuckDBConnection, mix: MixRecipe, io: TaskContext): Promise<void> {
  const where = mix.where ?? 'true';
  await checkMix(mix, db);
  await db.run(`CREATE TABLE dropped AS ${droppedSql(io)}`);
  await db.run(`CREATE TABLE seen (id VARCHAR, fits BOOLEAN, weight DOUBLE, split VARCHAR, repeats BIGINT, draw DOUBLE,
    place DOUBLE, source VARCHAR, url VARCHAR, title VARCHAR, language VARCHAR, licence VARCHAR, text VARCHAR)`);
  const parts = documentParts(io.inputs);
  for (const [i, part] of parts.entries()) {
    const view = await partSql(db, io.lake, part, io.inputs);
    try {
      await db.run(`INSERT INTO seen ${seenSql(view, where, mix)}`);
    } catch (error) {
      throw expressionError(error, 'mix', mixNames(io.inputs));
    }
    io.progress(i + 1, parts.length, `${i + 1} of ${parts.length} parts`);
  }
  await warnOfUnknownSources(db, mix, io);
  // Places without texts first, so that the texts are moved once, by a sort that spills; files are ranges of it.
  await db.run(`CREATE TABLE places AS SELECT id,
      (sum(bytes) OVER (PARTITION BY split ORDER BY place, id) - bytes) // ${FILE_BYTES} AS file
    FROM (SELECT id, split, place, strlen(text) AS bytes FROM seen WHERE fits AND repeats > 0)`);
  await db.run(`CREATE TABLE chosen AS SELECT s.id, source, url, title, language, licence, text, split, repeats, place, file
    FROM seen s JOIN places p ON p.id = s.id ORDER BY split, file, place, s.id`);
  await db.run('CREATE TABLE left_out AS SELECT id, fits, draw, weight FROM seen WHERE NOT fits OR repeats = 0');
  await db.run('DROP TABLE seen');
}

/** Ids that an earlier stage dropped. */
function droppedSql(io: TaskContext): string {
  const files = ['judge', 'dedup'].flatMap((stage) =>
    filesIn(only(io.inputs, stage), 'decisions').map((f) => join(io.lake, f.path)),
  );
  return files.length > 0
    ? `SELECT DISTINCT subject_id AS id FROM read_parquet(${fileList(files)}) WHERE verdict = 'drop'`
    : `SELECT NULL::VARCHAR AS id WHERE false`;
}

/** Each document once (an id that stands twice counts at its first place), with its weight, split and place. */
function seenSql(view: string, where: string, mix: MixRecipe): string {
  const { seed, validation } = mix;
  const bySource = Object.entries(mix.sources)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([source, weight]) => `WHEN source = ${quote(source)} THEN ${weight}`);
  const byRule = mix.by.map((rule) => `WHEN (${rule.where}\n) THEN ${rule.weight}`);
  const weight = [bySource, byRule].map((c) => (c.length > 0 ? `CASE ${c.join(' ')} ELSE 1 END` : '1')).join(' * ');
  return `SELECT id, fits, weight, split,
      CASE WHEN weight = 0 THEN 0 WHEN split = 'validation' THEN least(1, floor(weight) + (draw < weight - floor(weight))::INT)
        ELSE floor(weight) + (draw < weight - floor(weight))::INT END AS repeats,
      draw, place, source, url, title, language, licence, CASE WHEN fits THEN text END AS text
    FROM (SELECT *, coalesce((${where}\n), false) AS fits, (${weight})::DOUBLE AS weight,
        CASE WHEN ${draw(validation.seed, 'validation', 'id')} < ${validation.share} THEN 'validation' ELSE 'train' END AS split,
        ${draw(seed, 'weight', 'id')} AS draw, ${draw(seed, 'order', 'id')} AS place
      FROM (${view}) documents ANTI JOIN dropped ON dropped.id = documents.id ANTI JOIN seen ON seen.id = documents.id
      QUALIFY row_number() OVER (PARTITION BY documents.id ORDER BY row) = 1)
    ORDER BY row`;
}

async function warnOfUnknownSources(db: DuckDBConnection, mix: MixRecipe, io: TaskContext): Promise<void> {
  const named = Object.keys(mix.sources).toSorted();
  if (named.length === 0) return;
  const result = await db.runAndReadAll('SELECT DISTINCT source FROM seen ORDER BY source');
  const there = result.getRows().map(([source]) => String(source));
  for (const source of named.filter((s) => !there.includes(s))) {
    const guess = nearest(source, there);
    io.notice(
      `mix.sources: no kept document is of "${source}"${guess ? `; did you mean "${guess}"?` : ` (sources: ${there.join(', ')})`}`,
    );
  }
}
