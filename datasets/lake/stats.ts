import type { Catalog } from './catalog.ts';

export interface Group {
  name: string;
  documents: number;
  kept: number;
  bytes: number;
  tokens: number;
}

export interface Stats {
  totals: Group;
  by: { source: Group[]; language: Group[]; domain: Group[]; reason: Group[] };
  /** From captured to trained, in the order of the arrow. */
  funnel: { step: string; documents: number; bytes: number | null; tokens: number | null }[];
  outcomes: { outcome: string; reason: string; count: number }[];
}

/** Documents, bytes and tokens of a lake by source, language, domain and reason, and the funnel from captured to trained. */
export async function stats(catalog: Catalog): Promise<Stats> {
  const all = async (sql: string) =>
    (await catalog.connection.runAndReadAll(sql))
      .getRowObjects()
      .map((r) => Object.fromEntries(Object.entries(r).map(([k, v]) => [k, typeof v === 'bigint' ? Number(v) : v])));
  await catalog.connection.run(`CREATE TEMP TABLE counted AS
    WITH tokens AS (SELECT document_id, sum(length) AS tokens FROM shards GROUP BY 1)
    SELECT d.id, d.source, coalesce(d.language, 'unknown') AS language, coalesce(d.domain, 'none') AS domain,
      coalesce(d.reason, 'kept') AS reason, d.keep, d.bytes, t.tokens
    FROM documents d LEFT JOIN tokens t ON t.document_id = d.id`);
  const group = async (column: string): Promise<Group[]> =>
    (await all(`SELECT ${column} AS name, count(*) AS documents, count(*) FILTER (WHERE keep) AS kept, coalesce(sum(bytes), 0)::BIGINT AS bytes, coalesce(sum(tokens), 0)::BIGINT AS tokens
      FROM counted GROUP BY ALL ORDER BY documents DESC, name`)) as unknown as Group[];
  const one = async (sql: string) => Object.values((await all(sql))[0]!) as number[];
  const [captured, capturedBytes] = await one(`SELECT count(*), coalesce(sum(bytes), 0)::BIGINT FROM captures`);
  const [extracted, extractedBytes] = await one(`SELECT count(*), coalesce(sum(bytes), 0)::BIGINT FROM counted`);
  const dropped = (stage: string) =>
    `id IN (SELECT subject_id FROM decisions WHERE stage = '${stage}' AND verdict = 'drop')`;
  const step = async (name: string, without: string[]) => {
    const [documents, bytes] = await one(
      `SELECT count(*), coalesce(sum(bytes), 0)::BIGINT FROM counted ${without.length > 0 ? `WHERE NOT (${without.map(dropped).join(' OR ')})` : ''}`,
    );
    return { step: name, documents: documents!, bytes: bytes!, tokens: null };
  };
  const [tokenised, tokenisedBytes, tokens] = await one(
    `SELECT count(DISTINCT document_id), coalesce(sum(bytes), 0)::BIGINT, coalesce(sum(length), 0)::BIGINT FROM shards`,
  );
  const [trainTokens, trainDocuments] = await one(
    `SELECT coalesce(sum(length), 0)::BIGINT, count(DISTINCT document_id) FROM shards WHERE split = 'train'`,
  );
  const total = await all(
    `SELECT 'all' AS name, count(*) AS documents, count(*) FILTER (WHERE keep) AS kept, coalesce(sum(bytes), 0)::BIGINT AS bytes, coalesce(sum(tokens), 0)::BIGINT AS tokens FROM counted`,
  );
  return {
    totals: total[0] as unknown as Group,
    by: {
      source: await group('source'),
      language: await group('language'),
      domain: await group('domain'),
      reason: await group('reason'),
    },
    funnel: [
      { step: 'captured', documents: captured!, bytes: capturedBytes!, tokens: null },
      { step: 'extracted', documents: extracted!, bytes: extractedBytes!, tokens: null },
      await step('kept by the filters', ['judge']),
      await step('not a duplicate', ['judge', 'dedup']),
      await step('selected by the mix', ['judge', 'dedup', 'mix']),
      { step: 'in token shards', documents: tokenised!, bytes: tokenisedBytes!, tokens: tokens! },
      { step: 'of them for training', documents: trainDocuments!, bytes: null, tokens: trainTokens! },
    ],
    outcomes: (await all(
      `SELECT outcome, coalesce(reason, '') AS reason, count(*) AS count FROM captures GROUP BY ALL ORDER BY count DESC, outcome, reason`,
    )) as unknown as Stats['outcomes'],
  };
}
