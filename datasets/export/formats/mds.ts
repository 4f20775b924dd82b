import { rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { stableJson } from '../../../core/hash.ts';
import { bytesOf, createFile } from '../file.ts';
import type { CreateFile, ExportDocument, Format, FormatOptions, Split } from '../types.ts';
import { compressFile } from '../zstd.ts';

/** Bytes of a shard, as MosaicML's own writer has it. */
const SIZE_LIMIT = 1 << 26;

/** Columns in the order of their names, which is the order in the file. */
interface Columns {
  column_names: string[];
  column_encodings: string[];
  /** Bytes, or null where each value has its own. */
  column_sizes: (number | null)[];
}

/**
 * MosaicML's MDS, version 2: a folder a split with index.json and shards of 64 MB. Samples are documents (`id`, `text`),
 * or, with a sequence length T, T tokens each (`tokens`, ndarray:int32:T): documents in a row, each followed by the end
 * token, cut without regard to where they end; what is left over at the end of a split is no sample.
 */
const format = (needs: 'tokens' | 'text'): Format => ({
  about: 'MosaicML Streaming: index.json and .mds shards; tokens with --sequence, text without',
  needs,
  ...(needs === 'tokens' ? { width: () => 4 as const } : {}),
  open: (create, options) => (split) =>
    needs === 'tokens' ? sequences(create, options, split) : texts(create, options, split),
});

export const mdsTokens = format('tokens');
export const mdsText = format('text');

function texts(create: CreateFile, options: FormatOptions, split: Split) {
  const columns = { column_names: ['id', 'text'], column_encodings: ['str', 'str'], column_sizes: [null, null] };
  const shards = shardWriter(create, options, split, columns);
  return {
    add(document: ExportDocument) {
      const id = Buffer.from(document.id);
      const sizes = Uint32Array.of(id.length, document.text!.length);
      return shards.add(Buffer.concat([bytesOf(sizes), id, document.text!]));
    },
    close: () => shards.close(),
  };
}

function sequences(create: CreateFile, options: FormatOptions, split: Split) {
  const T = options.sequence!;
  const columns = { column_names: ['tokens'], column_encodings: [`ndarray:int32:${T}`], column_sizes: [4 * T] };
  const shards = shardWriter(create, options, split, columns);
  const end = [options.tokenizer!.endOfText];
  let sample = new Int32Array(T);
  let filled = 0;
  let tokens = 0;
  const append = async (added: ArrayLike<number>) => {
    tokens += added.length;
    for (let at = 0; at < added.length;) {
      const n = Math.min(T - filled, added.length - at);
      for (let i = 0; i < n; i++) sample[filled + i] = added[at + i]!;
      filled += n;
      at += n;
      if (filled < T) continue;
      await shards.add(bytesOf(sample));
      sample = new Int32Array(T);
      filled = 0;
    }
  };
  return {
    async add(document: ExportDocument) {
      await append(document.tokens!);
      await append(end);
    },
    close: async () => ({ tokens, left_over: filled, ...(await shards.close()) }),
  };
}

function shardWriter(create: CreateFile, options: FormatOptions, split: Split, columns: Columns) {
  const limit = options.shardBytes ?? SIZE_LIMIT;
  const compression = options.compression === 'zstd' ? 'zstd' : null;
  const settings = { ...columns, compression, format: 'mds', hashes: [], size_limit: limit, version: 2 };
  const config = Buffer.from(stableJson(settings));
  const overhead = 8 + config.length;
  const index: object[] = [];
  let samples: Uint8Array[] = [];
  let size = overhead;
  let written = 0;
  const flush = async () => {
    const basename = `shard.${String(index.length).padStart(5, '0')}.mds`;
    const offsets = new Uint32Array(samples.length + 1);
    offsets[0] = 4 + offsets.byteLength + config.length;
    for (const [i, sample] of samples.entries()) offsets[i + 1] = offsets[i]! + sample.length;
    const parts = [bytesOf(Uint32Array.of(samples.length)), bytesOf(offsets), config, ...samples];
    const zip = compression === null ? null : { basename: `${basename}.zstd`, bytes: 0, hashes: {} };
    const target = create(`${split}/${zip?.basename ?? basename}`);
    const file = zip ? createFile(dirname(target.path), `${basename}.raw`, () => {}) : target;
    for (const part of parts) file.write(part);
    const raw = { basename, bytes: file.bytes, hashes: {} };
    await file.close();
    if (zip) {
      await compressFile(file.path, target);
      rmSync(file.path);
      zip.bytes = target.bytes;
      await target.close();
    }
    index.push({ ...settings, raw_data: raw, samples: samples.length, zip_data: zip });
    written += samples.length;
    samples = [];
    size = overhead;
  };
  return {
    async add(sample: Uint8Array): Promise<void> {
      if (samples.length > 0 && size + sample.length + 4 > limit) await flush();
      samples.push(sample);
      size += sample.length + 4;
    },
    async close() {
      if (samples.length > 0) await flush();
      const file = create(`${split}/index.json`);
      file.write(Buffer.from(stableJson({ shards: index, version: 2 })));
      await file.close();
      return { samples: written, shards: index.length };
    },
  };
}
