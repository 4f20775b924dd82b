import { open } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { explainSystemError, GarnerError } from '../../core/errors.ts';
import { sha256 } from '../../core/hash.ts';
import { filesIn, type Output } from '../../core/stage/index.ts';
import { METADATA, type TokenArray } from './writer.ts';

/** A token shard as its marker states it. */
export interface ShardFile {
  /** Absolute path. */
  path: string;
  bytes: number;
  sha256: string;
}

interface Shard {
  name: string;
  /** Place of its first token among the tokens of all shards. */
  start: number;
  /** A view of the file's buffer, cut to the stated length. */
  tokens: TokenArray;
  documents: number;
  /** UTF-8 bytes of its texts. */
  bytes: number;
}

type OpenedShard = Shard & { vocabulary: number; tokenizer: string };

/** Token shards in a row, as if they were one array. */
export interface Shards {
  /** Tokens of all shards. */
  tokens: number;
  documents: number;
  /** UTF-8 bytes of all texts. */
  bytes: number;
  /** Rows of an embedding, special tokens included. */
  vocabulary: number;
  /** SHA-256 of the tokenizer.json they were made with. */
  tokenizer: string;
  shards: readonly Shard[];
  /** `length` tokens from `offset`: a view where they lie in one shard, else a copy. Throws a RangeError beyond the end. */
  read(offset: number, length: number): TokenArray;
}

/** The shards of a split among the outputs of the stage `shards`, in order. */
export const shardFiles = (lake: string, output: Output | undefined, split: 'train' | 'validation'): ShardFile[] =>
  filesIn(output, 'tokens')
    .filter((f) => basename(f.path).startsWith(`${split}-`))
    .map((f) => ({ path: join(lake, f.path), bytes: f.bytes, sha256: f.sha256 }));

/**
 * Opens token shards, each read into one buffer and never copied. Throws a GarnerError for a file whose size or digest
 * does not fit its marker (Arrow has no checksum), or that is no token shard, or where tokenizers differ.
 */
export async function openShards(files: readonly ShardFile[]): Promise<Shards> {
  const opened: OpenedShard[] = [];
  let start = 0;
  for (const file of files) {
    const shard = await openShard(file, start);
    start += shard.tokens.length;
    opened.push(shard);
  }
  const first = opened[0];
  const other = opened.find((s) => s.tokenizer !== first!.tokenizer);
  if (other)
    throw new GarnerError({
      what: 'the shards were made with different tokenizers',
      where: `${first!.name}, ${other.name}`,
    });
  return {
    tokens: start,
    documents: opened.reduce((n, s) => n + s.documents, 0),
    bytes: opened.reduce((n, s) => n + s.bytes, 0),
    vocabulary: first?.vocabulary ?? 0,
    tokenizer: first?.tokenizer ?? '',
    shards: opened,
    read: (offset, length) => readAcross(opened, start, offset, length),
  };
}

function readAcross(shards: readonly Shard[], total: number, offset: number, length: number): TokenArray {
  if (!(offset >= 0 && length >= 0 && offset + length <= total))
    throw new RangeError(`tokens ${offset} to ${offset + length} of ${total}`);
  let at = shardAt(shards, offset);
  const first = shards[at];
  if (!first) return new Uint16Array(0);
  const inside = first.tokens.subarray(offset - first.start, offset - first.start + length);
  if (inside.length === length) return inside;
  const whole = inside instanceof Uint16Array ? new Uint16Array(length) : new Uint32Array(length);
  whole.set(inside);
  for (let done = inside.length; done < length;) {
    const part = shards[++at]!.tokens.subarray(0, length - done);
    whole.set(part, done);
    done += part.length;
  }
  return whole;
}

/** The last shard that starts at or before `offset`. */
function shardAt(shards: readonly Shard[], offset: number): number {
  let low = 0;
  for (let high = shards.length; high - low > 1;) {
    const middle = (low + high) >> 1;
    if (shards[middle]!.start <= offset) low = middle;
    else high = middle;
  }
  return low;
}

async function openShard(file: ShardFile, start: number): Promise<OpenedShard> {
  const refuse = (what: string, cause?: unknown) =>
    new GarnerError(
      {
        what,
        where: file.path,
        hint: 'the file was changed or damaged: remove it and its marker (garner gc), and run again',
      },
      cause,
    );
  const buffer = await readWhole(file, refuse);
  if (sha256(buffer) !== file.sha256) throw refuse('the digest does not fit its marker');
  const { tableFromIPC } = await import('apache-arrow');
  try {
    const table = tableFromIPC(buffer);
    const fact = (name: string) => table.schema.metadata.get(METADATA + name) ?? '';
    const column = table.getChild('tokens');
    const values: unknown = column?.data[0]?.values ?? new Uint16Array(0);
    const tokens = Number(fact('tokens'));
    // Arrow pads its buffers: what lies beyond the stated length are no tokens.
    if (!(values instanceof Uint16Array || values instanceof Uint32Array) || !(tokens <= values.length))
      throw new TypeError('no column "tokens" of whole numbers');
    return {
      name: basename(file.path),
      start,
      tokens: values.subarray(0, tokens),
      documents: Number(fact('documents')),
      bytes: Number(fact('bytes')),
      vocabulary: Number(fact('vocabulary')),
      tokenizer: fact('tokenizer'),
    };
  } catch (error) {
    throw refuse('this is no token shard', error);
  }
}

async function readWhole(file: ShardFile, refuse: (what: string) => GarnerError): Promise<Uint8Array> {
  const handle = await open(file.path).catch((error: unknown) => {
    throw explainSystemError(error, file.path);
  });
  try {
    const { size } = await handle.stat();
    if (size !== file.bytes) throw refuse(`the file has ${size} bytes, its marker says ${file.bytes}`);
    const buffer = new Uint8Array(size);
    for (let at = 0; at < size;) {
      const { bytesRead } = await handle.read(buffer, at, Math.min(size - at, 1 << 28), at);
      if (bytesRead === 0) throw refuse('the file ends too early');
      at += bytesRead;
    }
    return buffer;
  } finally {
    await handle.close();
  }
}
