import { join } from 'node:path';
import type { DuckDBBlobValue, DuckDBConnection } from '@duckdb/node-api';
import { fileList, quote } from '../../../core/lake/duckdb.ts';
import { documentParts, partFile } from '../../../core/lake/documents.ts';
import { copyTo } from '../../../core/lake/parquet.ts';
import { defineStage, filesIn, only, type TaskContext } from '../../../core/stage/index.ts';
import { createShingler } from '../../../core/text/shingles.ts';
import { openScratch, scalar, stream, type Scratch } from '../../scratch.ts';
import { chooseBands, type Banding } from '../bands.ts';
import { createComponents } from '../components.ts';
import { createLeader } from '../leader.ts';
import type { DedupRecipe } from '../recipe.ts';
import { openSetStore, type SetStore } from '../sets.ts';

type Params = Pick<DedupRecipe, 'threshold' | 'recall' | 'functions' | 'normalise' | 'keep'>;

/**
 * Signatures → duplicates. Exact groups by fingerprint; then candidates by MinHash bands, their components, and in each
 * component leader clustering with similarities counted on the texts (see leader.ts). Documents that `judge` dropped take
 * no part. Documents are numbered in the keeper's order, best first, so a kept document always has the lower number.
 * Memory: 16 bytes a document, the database's limit, and one component's kept documents.
 */
export default defineStage<{ dedup?: DedupRecipe | undefined }, Params>({
  name: 'dedup',
  version: 1,
  module: 'datasets/dedup/stages/dedup',
  inputs: ['read', 'extract', 'mask', 'judge', 'signatures'],
  params: ({ dedup: d }) =>
    d
      ? { threshold: d.threshold, recall: d.recall, functions: d.functions, normalise: d.normalise, keep: d.keep }
      : null,
  tasks: (inputs) => (documentParts(inputs).length > 0 ? [{ id: 'part-00000', input: null }] : []),
  async run(_task, p, io) {
    const scratch = await openScratch(io.scratch);
    const store = openSetStore(join(io.scratch, `sets-${process.pid}`));
    try {
      const { db } = scratch;
      await numberDocuments(db, p, io);
      const documents = await scalar(db, 'SELECT count(*) FROM docs');
      const banding = chooseBands(p.threshold, p.recall, p.functions);
      const candidates = await findComponents(db, documents, banding);
      await storeSets(db, p, io, store);
      const full = await verify(scratch, p, banding, store, io, candidates);
      await writeResults(db, p, io);
      const exact = await scalar(db, 'SELECT count(*) FROM exact');
      const near = await scalar(db, 'SELECT count(*) FROM near');
      return { documents, exact, near, kept: documents - exact - near, candidates, crowded: full };
    } finally {
      store.close();
      scratch.close();
    }
  },
});

const paths = (io: TaskContext, stage: string, folder: string) =>
  filesIn(only(io.inputs, stage), folder).map((f) => join(io.lake, f.path));

/** All rows of the stage `signatures`, with the part and the row in it that name each. */
const signatureRows = (io: TaskContext) =>
  `SELECT *, parse_filename(filename, true) AS part, file_row_number AS row
   FROM read_parquet(${fileList(paths(io, 'signatures', 'signatures'))}, filename = true, file_row_number = true)`;

/** `docs`: number (the keeper's order, best first), id, part and row, fingerprint; `exact`: number → first number of its group. */
async function numberDocuments(db: DuckDBConnection, p: Params, io: TaskContext): Promise<void> {
  const documents = documentParts(io.inputs).map((part) => join(io.lake, part.path));
  const judged = paths(io, 'judge', 'decisions');
  const dropped =
    judged.length > 0
      ? `SELECT subject_id FROM read_parquet(${fileList(judged)}) WHERE verdict = 'drop'`
      : `SELECT NULL::VARCHAR AS subject_id WHERE false`;
  // An id that stands twice in the input counts once: its first place.
  await db.run(`CREATE TABLE docs AS
    SELECT row_number() OVER (ORDER BY ${p.keep === 'longest' ? 's.length DESC, ' : ''}d.source, d.url NULLS LAST, d.id) - 1 AS number,
      d.id, s.part, s.row, s.fingerprint
    FROM (SELECT id, min(source) AS source, min(url) AS url FROM read_parquet(${fileList(documents)}) GROUP BY id) d
    JOIN (SELECT document_id, part, row, fingerprint, length FROM (${signatureRows(io)})
      QUALIFY row_number() OVER (PARTITION BY document_id ORDER BY part, row) = 1) s ON s.document_id = d.id
    ANTI JOIN (${dropped}) x ON x.subject_id = d.id
    ORDER BY number`);
  await db.run(`CREATE TABLE exact AS SELECT number, first FROM
    (SELECT number, min(number) OVER (PARTITION BY fingerprint) AS first FROM docs) WHERE first <> number`);
  // Band keys are hashed by the database: they only propose, so a collision costs a comparison and nothing else.
  const { bands, rows } = chooseBands(p.threshold, p.recall, p.functions);
  const keys = Array.from({ length: bands }, (_, b) => {
    const bytes = rows * 8;
    return `hash(s.signature[${b * bytes + 1}:${(b + 1) * bytes}]) AS b${b}`;
  });
  // Of an exact group its first document and one of each other spelling take part.
  await db.run(`CREATE TABLE keys AS SELECT d.number, coalesce(e.first, d.number) AS first, ${keys.join(', ')}
    FROM docs d LEFT JOIN exact e ON e.number = d.number
    JOIN (${signatureRows(io)}) s ON s.part = d.part AND s.row = d.row
    WHERE s.signature IS NOT NULL
    QUALIFY row_number() OVER (PARTITION BY coalesce(e.first, d.number), hash(s.signature) ORDER BY d.number) = 1`);
}

/** `members`: number, first of its exact group, least number of its component, for all that share a band; how many. */
async function findComponents(db: DuckDBConnection, documents: number, { bands }: Banding): Promise<number> {
  const components = createComponents(documents);
  const touched = new Uint8Array(Math.ceil(documents / 8));
  const touch = (n: number) => (touched[n >> 3]! |= 1 << (n & 7));
  // A star to the least number of each bucket: m − 1 edges for m members, the same for any order.
  const edges = Array.from(
    { length: bands },
    (_, b) => `SELECT number, min(number) OVER (PARTITION BY b${b}) AS least FROM keys`,
  );
  for (const sql of ['SELECT number, first AS least FROM keys', ...edges])
    for await (const rows of stream(db, `SELECT number::UINTEGER, least::UINTEGER FROM (${sql}) WHERE least <> number`))
      for (const [number, least] of rows as [number, number][]) {
        components.union(number, least);
        touch(number);
        touch(least);
      }
  await db.run('CREATE TABLE members (number UINTEGER, root UINTEGER)');
  const members = await db.createAppender('members');
  let count = 0;
  for (let n = 0; n < documents; n++) {
    if ((touched[n >> 3]! & (1 << (n & 7))) === 0) continue;
    members.appendUInteger(n);
    members.appendUInteger(components.root(n));
    members.endRow();
    if (++count % 20_480 === 0) members.flushSync();
  }
  members.closeSync();
  return count;
}

/** The shingle sets of all members, from their edited texts, a part at a time; no other text is read. */
async function storeSets(db: DuckDBConnection, p: Params, io: TaskContext, store: SetStore): Promise<void> {
  const shingle = createShingler(p.normalise ? 'normalised' : 'plain');
  const parts = documentParts(io.inputs);
  for (const [i, part] of parts.entries()) {
    const edited = partFile(io.lake, only(io.inputs, 'mask'), 'texts', part.id);
    const sql = `SELECT m.number, ${edited ? 'coalesce(t.text, x.text)' : 'x.text'}
      FROM members m JOIN docs d ON d.number = m.number AND d.part = ${quote(part.id)}
      JOIN read_parquet(${fileList([join(io.lake, part.path)])}, file_row_number = true) x ON x.file_row_number = d.row AND x.id = d.id
      ${edited ? `LEFT JOIN read_parquet(${fileList([edited])}) t ON t.document_id = x.id` : ''}`;
    for await (const rows of stream(db, sql))
      for (const [number, text] of rows as [number, string][]) store.put(number, shingle(text));
    io.progress(i + 1, parts.length, `texts of ${i + 1} of ${parts.length} parts`);
  }
}

/** `near`: number → kept and matched number, similarity, band; returns how often a bucket was full. */
async function verify(
  { db, connect }: Scratch,
  p: Params,
  banding: Banding,
  store: SetStore,
  io: TaskContext,
  members: number,
): Promise<number> {
  const out = await connect();
  await out.run('CREATE TABLE near (number UINTEGER, kept UINTEGER, matched UINTEGER, similarity DOUBLE, band BIGINT)');
  const near = await out.createAppender('near');
  const leader = createLeader(p.threshold, p.functions, banding, store);
  let component = -1;
  let done = 0;
  let found = 0;
  const gone = new Set<number>();
  const sql = `SELECT m.root, m.number, k.first::UINTEGER, s.signature FROM members m
    JOIN keys k ON k.number = m.number JOIN docs d ON d.number = m.number
    JOIN (${signatureRows(io)}) s ON s.part = d.part AND s.row = d.row ORDER BY m.root, m.number`;
  for await (const rows of stream(db, sql)) {
    for (const [root, number, first, blob] of rows as [number, number, number, DuckDBBlobValue][]) {
      if (root !== component) {
        leader.clear();
        gone.clear();
      }
      component = root;
      const signature = new BigInt64Array(Uint8Array.from(blob.bytes).buffer);
      if (first !== number) {
        if (!gone.has(first)) leader.addSpelling(number, signature, first);
        continue;
      }
      const match = leader.add(number, signature);
      if (!match) continue;
      gone.add(number);
      near.appendUInteger(number);
      near.appendUInteger(match.kept);
      near.appendUInteger(match.matched);
      near.appendDouble(match.similarity);
      near.appendBigInt(BigInt(match.band));
      near.endRow();
      if (++found % 20_480 === 0) near.flushSync();
    }
    done += rows.length;
    io.progress(done, members, `${found} near-duplicates`);
  }
  near.closeSync();
  return leader.full;
}

async function writeResults(db: DuckDBConnection, p: Params, io: TaskContext): Promise<void> {
  await db.run(`CREATE TABLE found AS
    SELECT d.id AS document_id, k.id AS kept_id, 'near' AS kind, n.similarity, m.id AS matched_id, n.band
    FROM near n JOIN docs d ON d.number = n.number JOIN docs k ON k.number = n.kept JOIN docs m ON m.number = n.matched
    UNION ALL
    SELECT d.id, coalesce(k.id, f.id), 'exact', 1::DOUBLE, f.id, NULL
    FROM exact e JOIN docs d ON d.number = e.number JOIN docs f ON f.number = e.first
    LEFT JOIN near n ON n.number = e.first LEFT JOIN docs k ON k.number = n.kept`);
  await copyTo(db, 'FROM found ORDER BY document_id', io.file('duplicates', 'part-00000.parquet'));
  await copyTo(
    db,
    `SELECT document_id AS subject_id, 'dedup' AS stage, kind || '_duplicate' AS rule, NULL::VARCHAR AS filter,
      'similarity' AS signal, similarity AS value, NULL::VARCHAR AS label,
      CASE kind WHEN 'exact' THEN '1' ELSE ${quote(String(p.threshold))} END AS threshold, 'drop' AS verdict, kept_id AS evidence
    FROM found ORDER BY document_id`,
    io.file('decisions', 'part-00000.parquet'),
  );
}
