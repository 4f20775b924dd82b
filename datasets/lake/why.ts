import { GarnerError } from '../../core/errors.ts';
import type { Output } from '../../core/stage/index.ts';
import type { Catalog } from './catalog.ts';

type Fields = Record<string, unknown>;

/** All that the lake knows of one page or document, in the order in which it happened. */
export interface Story {
  captures: Fields[];
  document: Fields | null;
  /** Measured numbers and labels, by filter. */
  signals: Record<string, Fields>;
  decisions: Fields[];
  /** How often each rule changed the text. */
  edits: { rule: string; count: number; spans: string }[];
  duplicates: Fields[];
  snapshot: Fields | null;
  shards: Fields[];
  runs: Fields[];
}

async function rows(catalog: Catalog, sql: string, ...values: string[]): Promise<Fields[]> {
  const result = await catalog.connection.runAndReadAll(sql, values);
  return (result.getRowObjectsJson() as Fields[]).map((row) =>
    Object.fromEntries(
      Object.entries(row).map(([k, v]) => [
        k,
        typeof v === 'string' && /^-?\d{1,15}$/.test(v) && k !== 'id' ? Number(v) : v,
      ]),
    ),
  );
}

/** Finds what a person means: a document's id, a capture's id, or a URL (as it stands, or without its trailing slash). */
async function find(
  catalog: Catalog,
  what: string,
): Promise<{ urls: string[]; document: string | null; captures: string[] }> {
  const bare = what.replace(/\/$/, '');
  const documents = await rows(
    catalog,
    `SELECT id, url, capture_id FROM documents WHERE id = $1 OR url IN ($1, $2, $2 || '/') ORDER BY url = $1 DESC, id LIMIT 1`,
    what,
    bare,
  );
  const [document] = documents;
  const captures = await rows(
    catalog,
    `SELECT id, url FROM captures WHERE id IN ($1, $3) OR url IN ($1, $2, $2 || '/', $4) ORDER BY id`,
    what,
    bare,
    String((document?.['capture_id'] as string | null) ?? ''),
    String((document?.['url'] as string | null) ?? ''),
  );
  return {
    urls: captures.map((c) => c['url'] as string),
    document: (document?.['id'] as string | undefined) ?? null,
    captures: captures.map((c) => c['id'] as string),
  };
}

/** The story of a URL, document or capture. Throws a GarnerError where the lake has never met it, with the nearest URLs. */
export async function why(catalog: Catalog, what: string): Promise<Story> {
  const found = await find(catalog, what);
  if (found.document === null && found.captures.length === 0) {
    const near = await rows(
      catalog,
      `SELECT DISTINCT url FROM (SELECT url FROM captures UNION ALL SELECT url FROM documents) WHERE contains(url, $1) ORDER BY length(url), url LIMIT 5`,
      what,
    );
    throw new GarnerError({
      what: 'the lake knows no such URL or id',
      where: what,
      hint:
        near.length > 0
          ? `did you mean ${near.map((r) => r['url'] as string).join(', ')}?`
          : 'garner sql "select id, url from documents" and "select url, outcome from captures" list what it knows',
      fault: 2,
    });
  }
  const captures = await rows(
    catalog,
    `SELECT * FROM captures WHERE list_contains(string_split($1, chr(10)), id) ORDER BY fetched_at, id`,
    found.captures.join('\n'),
  );
  const id = found.document ?? '';
  const subjects = [id, ...found.captures].filter(Boolean).join('\n');
  const decisions = await rows(
    catalog,
    `SELECT * FROM decisions WHERE list_contains(string_split($1, chr(10)), subject_id)`,
    subjects,
  );
  const [document] = await rows(
    catalog,
    `SELECT * EXCLUDE (text), left(text, 300) AS opening FROM documents WHERE id = $1`,
    id,
  );
  const [measured] = await rows(catalog, `SELECT * FROM signals WHERE document_id = $1`, id);
  const edits = await rows(
    catalog,
    `SELECT rule, count(*)::INTEGER AS count, string_agg(start || '–' || "end", ', ' ORDER BY start) AS spans FROM edits WHERE document_id = $1 GROUP BY rule ORDER BY rule`,
    id,
  );
  const duplicates = await rows(
    catalog,
    `SELECT d.*, o.url AS kept_url FROM duplicates d LEFT JOIN documents o ON o.id = d.kept_id WHERE d.document_id = $1 OR d.kept_id = $1 ORDER BY d.document_id`,
    id,
  );
  const [snapshot] = await rows(catalog, `SELECT id, split, repeats, source FROM snapshot_documents WHERE id = $1`, id);
  const shards = await rows(
    catalog,
    `SELECT shard, "offset", length, split, bytes FROM shards WHERE document_id = $1 ORDER BY shard, "offset"`,
    id,
  );
  const { document_id: _, ...filters } = measured ?? { document_id: '' };
  return {
    captures,
    document: document ?? null,
    signals: filters as Record<string, Fields>,
    decisions: decisions.toSorted((a, b) => stageOrder(a) - stageOrder(b)),
    edits: edits as unknown as Story['edits'],
    duplicates,
    snapshot: snapshot ?? null,
    shards,
    runs: shards.length > 0 ? trainedOn(catalog.outputs) : [],
  };
}

const STAGES = ['crawl', 'index', 'read', 'extract', 'measure', 'judge', 'mask', 'signatures', 'dedup', 'mix'];
const stageOrder = (decision: Fields) => STAGES.indexOf(decision['stage'] as string);

const trainedOn = (outputs: readonly Output[]): Fields[] =>
  outputs
    .filter((o) => o.stage === 'pretrain')
    .map((o) => ({
      run: o.facts['name'] ?? o.key,
      steps: o.counts['steps'] ?? null,
      tokens: o.counts['tokens'] ?? null,
    }));
