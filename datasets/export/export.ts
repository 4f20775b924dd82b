import { createReadStream, realpathSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { GarnerError } from '../../core/errors.ts';
import { keyOf } from '../../core/hash.ts';
import { short } from '../../core/progress.ts';
import { dependencyVersion, garnerVersion } from '../../core/root.ts';
import { exportFolder, isWhole, MANIFEST, openStaging, standingExport, type Staging } from './folder.ts';
import { formatOf, isTable, type FormatName } from './formats.ts';
import { readSnapshot, repeated, snapshotFiles, type Snapshot } from './snapshot.ts';
import { copyTable, type TableFormat } from './tables.ts';
import { SPLITS, type ExportDocument, type Split, type TokenizerFacts } from './types.ts';

/** Tokens in a shard of llm.c, as in its own files. */
const SHARD_TOKENS = 100_000_000;

/** Documents with their tokens: read from the lake's shards or encoded anew; who exports brings them. */
export interface TokenSource extends TokenizerFacts {
  /** The tokenizer.json, which goes into the export too. */
  file: string;
  read(split: Split): AsyncIterable<readonly ExportDocument[]>;
}

export interface ExportOptions {
  snapshot: Snapshot;
  format: FormatName;
  /** The folder. */
  out: string;
  /** For formats of tokens. */
  tokens: TokenSource | null;
  sequence: number | null;
  compression: 'none' | 'zstd';
  /** Smaller shards than the originals have, in tokens (llm.c) or bytes (mds, nanochat). */
  shardTokens?: number | undefined;
  shardBytes?: number | undefined;
  progress: (done: number, total: number, note: string) => void;
  signal?: AbortSignal | undefined;
}

/** What export.json says. */
export interface ExportManifest {
  garner: string;
  /** Hash of what the export depends on. */
  key: string;
  format: FormatName;
  snapshot: { name: string; key: string; seed: number; sql: string | null };
  tokenizer: { sha256: string; vocabulary: number; end_of_text: number; bytes_per_token: number } | null;
  sequence: number | null;
  compression: string;
  splits: Record<Split, Record<string, number>>;
  files: { path: string; bytes: number; sha256: string }[];
}

export interface ExportReport {
  manifest: ExportManifest;
  /** The same export stood there already, whole. */
  reused: boolean;
}

/** True where a format takes tokens. */
export const needsTokens = (format: FormatName, sequence: number | null): boolean =>
  !isTable(format) && formatOf(format, sequence).needs === 'tokens';

/**
 * Writes a snapshot in a format that others read: both splits, each document as often as an epoch shows it, in the
 * snapshot's order. The folder appears at the end by a rename, with export.json in it; the same options give the same bytes.
 * Throws a GarnerError where the folder holds something else, or the tokenizer does not fit the format.
 */
export async function exportSnapshot(options: ExportOptions): Promise<ExportReport> {
  const { snapshot, format, out, tokens, sequence, compression } = options;
  const facts = tokens && { sha256: tokens.sha256, vocabulary: tokens.vocabulary, endOfText: tokens.endOfText };
  const width = isTable(format) || !tokens ? 0 : formatOf(format, sequence).width!(tokens.vocabulary);
  const shardTokens = options.shardTokens ?? SHARD_TOKENS;
  const key = keyOf({
    version: 1,
    format,
    snapshot: snapshot.key,
    name: snapshot.name,
    tokenizer: facts,
    sequence,
    compression,
    shardTokens,
    shardBytes: options.shardBytes,
    duckdb: dependencyVersion('@duckdb/node-api'),
  });
  const folder = exportFolder(out);
  const way = relative(realpathSync(snapshot.lake), folder);
  if (way !== '..' && !way.startsWith('../'))
    throw new GarnerError({
      what: 'the folder lies in the lake',
      where: out,
      hint: 'choose a place outside',
      fault: 2,
    });
  const standing = standingExport(folder);
  if (standing && standing.key !== key)
    throw new GarnerError({
      what: 'another export stands there',
      where: out,
      hint: 'choose another folder with --out DIR, or remove that one',
      fault: 2,
    });
  if (standing && isWhole(folder, standing)) return { manifest: standing as unknown as ExportManifest, reused: true };
  const staging = openStaging(folder);
  try {
    const splits = isTable(format)
      ? await copyTables(staging, options)
      : await writeSplits(staging, { ...options, shardTokens }, facts);
    if (tokens) await copyFile(staging, tokens.file, 'tokenizer.json');
    const manifest: ExportManifest = {
      garner: garnerVersion,
      key,
      format,
      snapshot: { name: snapshot.name, key: snapshot.key, seed: snapshot.seed, sql: snapshot.sql },
      tokenizer: facts && {
        sha256: facts.sha256,
        vocabulary: facts.vocabulary,
        end_of_text: facts.endOfText,
        bytes_per_token: width,
      },
      sequence,
      compression,
      splits,
      files: staging.files.toSorted((a, b) => (a.path < b.path ? -1 : 1)),
    };
    writeFileSync(join(staging.path, MANIFEST), `${JSON.stringify(manifest, null, 2)}\n`, { flush: true });
    options.signal?.throwIfAborted();
    await staging.publish();
    return { manifest, reused: false };
  } catch (error) {
    staging.discard();
    throw error;
  }
}

async function copyFile(staging: Staging, from: string, name: string): Promise<void> {
  const file = staging.create(name);
  for await (const chunk of createReadStream(from)) file.write(chunk as Buffer);
  await file.close();
}

type Counts = Record<Split, Record<string, number>>;

async function copyTables(staging: Staging, options: ExportOptions): Promise<Counts> {
  const { snapshot, format, compression, progress } = options;
  const counts: Counts = { train: {}, validation: {} };
  const total = snapshot.shown.train + snapshot.shown.validation;
  let done = 0;
  for (const split of SPLITS) {
    const sum = { documents: 0, bytes: 0 };
    for (const source of snapshotFiles(snapshot, split)) {
      options.signal?.throwIfAborted();
      const made = await copyTable(source, staging.path, format as TableFormat, compression);
      staging.keep(made.file);
      sum.documents += made.documents;
      sum.bytes += made.bytes;
      done += made.documents;
      progress(done, total, `${short(done)} of ${short(total)} documents`);
    }
    counts[split] = sum;
  }
  return counts;
}

async function writeSplits(
  staging: Staging,
  options: ExportOptions & { shardTokens: number },
  tokenizer: TokenizerFacts | null,
): Promise<Counts> {
  const { snapshot, sequence, compression, shardTokens, progress } = options;
  const { shown } = snapshot;
  const format = formatOf(options.format as Exclude<FormatName, TableFormat>, sequence);
  const open = format.open(staging.create, {
    name: snapshot.name,
    tokenizer,
    sequence,
    compression,
    shardTokens,
    shardBytes: options.shardBytes ?? null,
    shown,
  });
  const counts: Counts = { train: {}, validation: {} };
  const total = shown.train + shown.validation;
  let done = 0;
  for (const split of SPLITS) {
    const writer = open(split);
    const sum = { documents: 0, bytes: 0 };
    const batches = options.tokens?.read(split) ?? repeated(readSnapshot(snapshot, split));
    for await (const batch of batches) {
      options.signal?.throwIfAborted();
      for (const document of batch) {
        const busy = writer.add(document);
        if (busy) await busy;
        sum.bytes += document.bytes;
      }
      sum.documents += batch.length;
      done += batch.length;
      progress(done, total, `${short(done)} of ${short(total)} documents`);
    }
    counts[split] = { ...sum, ...(await writer.close()) };
  }
  return counts;
}
