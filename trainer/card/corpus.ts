import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileList } from '../../core/lake/duckdb.ts';
import { queryRows } from '../../core/lake/parquet.ts';
import { readMarker, type Output } from '../../core/stage/marker.ts';
import { filesIn, type Inputs } from '../../core/stage/index.ts';
import type { Corpus, FilterRule, SourceShare } from './card.ts';

/** What a training's inputs come from: snapshot, filters, duplicates, tokens by source and licence, all from the lake's markers. */
export async function corpusOf(lake: string, inputs: Inputs): Promise<Corpus> {
  const all = ancestors(lake, Object.values(inputs).flat());
  const of = (stage: string) => all.find((o) => o.stage === stage);
  const counted = (stage: string, name: string) => of(stage)?.counts[name] ?? 0;
  const [judge, mask, dedup, tokenizer] = [of('judge'), of('mask'), of('dedup'), of('tokenizer')];
  const shares = await sharesOf(lake, of('shards'), of('mix'));
  return {
    snapshot: snapshotOf(lake, of('mix')),
    ...shares,
    tokenizer: {
      sha256: (tokenizer?.facts['sha256'] as string | undefined) ?? null,
      vocabulary: (tokenizer?.facts['vocabulary'] as number | undefined) ?? null,
    },
    documents: counted('read', 'documents') + counted('extract', 'documents'),
    filters: judge
      ? {
          kept: judge.counts['kept'] ?? 0,
          dropped: judge.counts['dropped'] ?? 0,
          rules: (judge.params as { filters?: { name: string; rules: FilterRule[] }[] }).filters ?? [],
        }
      : null,
    masked: mask ? { documents: mask.counts['edited'] ?? 0, edits: mask.counts['edits'] ?? 0 } : null,
    duplicates: dedup
      ? {
          exact: dedup.counts['exact'] ?? 0,
          near: dedup.counts['near'] ?? 0,
          threshold: (dedup.params as { threshold?: number }).threshold ?? null,
        }
      : null,
    origins: originsOf(of('crawl'), of('index'), of('read')),
  };
}

/** Outputs and all that they were made from, each once, nearest first. */
function ancestors(lake: string, outputs: readonly Output[]): Output[] {
  const seen = new Map<string, Output>();
  const queue = [...outputs];
  for (let output = queue.shift(); output; output = queue.shift()) {
    const name = `${output.stage}.${output.unit}/${output.key}`;
    if (seen.has(name)) continue;
    seen.set(name, output);
    for (const { stage, unit, identity } of output.inputs) {
      const found = outputOf(lake, stage, unit, identity);
      if (found) queue.push(found);
    }
  }
  return [...seen.values()];
}

/** An output by its identity, which is its key or, where the outside world decided it, a digest of its files. */
function outputOf(lake: string, stage: string, unit: string, identity: string): Output | null {
  const direct = readMarker(lake, stage, unit, identity);
  if (direct) return direct;
  const folder = join(lake, 'stages', unit === stage ? stage : `${stage}.${unit}`);
  if (!existsSync(folder)) return null;
  for (const key of readdirSync(folder).toSorted()) {
    const marker = readMarker(lake, stage, unit, key);
    if (marker?.identity === identity) return marker;
  }
  return null;
}

function snapshotOf(lake: string, mix: Output | undefined): Corpus['snapshot'] {
  if (!mix) return null;
  const { name, where, sources, by, seed, validation } = mix.params as Record<string, unknown>;
  const about = filesIn(mix, 'snapshots').find((f) => basename(f.path) === 'snapshot.json');
  const files = about
    ? (
        JSON.parse(readFileSync(join(lake, about.path), 'utf8')) as {
          files: { file: string; sha256: string; documents: number }[];
        }
      ).files
    : [];
  return {
    name: String(name),
    key: mix.key,
    sql: typeof where === 'string' ? where : null,
    weights: { sources, by, seed, validation },
    files: files.map(({ file, sha256, documents }) => ({ file, sha256, documents })),
  };
}

async function sharesOf(
  lake: string,
  shards: Output | undefined,
  mix: Output | undefined,
): Promise<Record<'train' | 'validation', SourceShare[]>> {
  const paths = (output: Output | undefined, folder: string) =>
    filesIn(output, folder)
      .filter((f) => f.path.endsWith('.parquet'))
      .map((f) => join(lake, f.path));
  const [index, documents] = [paths(shards, 'shards'), paths(mix, 'snapshots')];
  if (index.length === 0 || documents.length === 0) return { train: [], validation: [] };
  const rows = await queryRows(`
    SELECT i.split, i.source, d.licence, count(*) AS documents, sum(i.length)::BIGINT AS tokens, sum(i.bytes)::BIGINT AS bytes
    FROM read_parquet(${fileList(index)}) i
    LEFT JOIN (SELECT id, any_value(licence) AS licence FROM read_parquet(${fileList(documents)}) GROUP BY id) d ON d.id = i.document_id
    GROUP BY ALL ORDER BY i.split, tokens DESC, i.source, d.licence`);
  const side = (split: string) =>
    rows
      .filter((r) => r['split'] === split)
      .map(({ source, licence, documents: n, tokens, bytes }) => ({
        source: source as string,
        licence: licence as string | null,
        documents: n as number,
        tokens: tokens as number,
        bytes: bytes as number,
      }));
  return { train: side('train'), validation: side('validation') };
}

/** Addresses and names; never a path of the machine. */
function originsOf(crawl: Output | undefined, index: Output | undefined, read: Output | undefined): string[] {
  const seeds = (crawl?.params as { seeds?: string[] } | undefined)?.seeds ?? [];
  const named = [index, read].flatMap(
    (output) => (output?.params as { sources?: { name?: string }[] } | undefined)?.sources ?? [],
  );
  return [...new Set([...seeds, ...named.flatMap((s) => (s.name === undefined ? [] : [s.name]))])];
}
