import { createReadStream } from 'node:fs';
import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname, isAbsolute, relative, resolve, sep } from 'node:path';
import { threadId } from 'node:worker_threads';
import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { explainSystemError, GarnerError } from './errors.ts';
import { ownTag } from './machine.ts';

let counter = 0;

/** A name beside `path` that no reader looks at; two writers, on this host or on another, never have the same. */
export const temporaryName = (path: string): string =>
  `${path}.tmp-${ownTag}${threadId ? `-${threadId}` : ''}-${counter++}`;

/** Writes a whole file or nothing: a temporary name, fsync, rename. */
export async function writeAtomically(path: string, data: string | Uint8Array): Promise<void> {
  const temporary = temporaryName(path);
  try {
    await mkdir(dirname(path), { recursive: true });
    const file = await open(temporary, 'w');
    try {
      await file.writeFile(data);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw explainSystemError(error, path);
  }
}

/** Flushes a finished file (or a folder's entries) to the disk. */
export async function sync(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Resolves `path` under `folder`; refuses anything that would leave it. */
export function inside(folder: string, path: string): string {
  const full = resolve(folder, path);
  const way = relative(folder, full);
  if (way === '..' || way.startsWith(`..${sep}`) || isAbsolute(way)) {
    throw new GarnerError({ what: 'the path leaves its folder', where: path, fault: 2 });
  }
  return full;
}

/** True for a file whose name says gzip. */
export const isGzip = (path: string): boolean => /\.gz$/i.test(path);

/**
 * A file's bytes as a stream, gunzipped where the name says so (all members, one after another).
 * `limit` bounds what comes out [bytes]. Throws a GarnerError for a missing file, a truncated or damaged gzip, or more than `limit`.
 */
export async function* readBytes(path: string, limit = Infinity): AsyncGenerator<Buffer> {
  const info = await stat(path).catch((error: unknown) => {
    throw explainSystemError(error, path);
  });
  if (info.isDirectory())
    throw new GarnerError({ what: 'this is a folder, a file was expected', where: path, fault: 2 });
  const raw = createReadStream(path, { highWaterMark: 1 << 20 });
  let total = 0;
  try {
    const stream =
      isGzip(path) && (info.size > 0 || !info.isFile()) ? raw.pipe(createGunzip({ chunkSize: 1 << 20 })) : raw;
    if (stream !== raw) raw.on('error', (error) => stream.destroy(error));
    for await (const chunk of stream) {
      total += (chunk as Buffer).length;
      if (total > limit) throw new GarnerError({ what: `more than ${limit} bytes after decompression`, where: path });
      yield chunk as Buffer;
    }
  } catch (error) {
    throw gzipError(error, path);
  } finally {
    raw.destroy();
  }
}

/** What zlib says, in words; other errors as `explainSystemError` has them. */
function gzipError(error: unknown, where: string): unknown {
  const what = { Z_BUF_ERROR: 'the gzip file ends too early', Z_DATA_ERROR: 'the gzip data is damaged' }[
    String((error as { code?: string }).code)
  ];
  return what === undefined
    ? explainSystemError(error, where)
    : new GarnerError({ what, where, hint: 'download or copy it again' }, error);
}

/** A stream as it is, or gunzipped where its first two bytes say so: standard input has no name to tell. */
export async function* plainBytes(source: AsyncIterable<Uint8Array>, where: string): AsyncGenerator<Uint8Array> {
  const chunks = source[Symbol.asyncIterator]();
  let head = Buffer.alloc(0);
  let ended = false;
  while (head.length < 2 && !ended) {
    const next = await chunks.next();
    if (next.done) ended = true;
    else head = Buffer.concat([head, next.value]);
  }
  const all = (async function* () {
    yield head;
    for (let next = await chunks.next(); !next.done; next = await chunks.next()) yield next.value;
  })();
  if (head[0] !== 0x1f || head[1] !== 0x8b) {
    yield* all;
    return;
  }
  try {
    for await (const chunk of Readable.from(all).pipe(createGunzip({ chunkSize: 1 << 20 }))) yield chunk as Buffer;
  } catch (error) {
    throw gzipError(error, where);
  }
}

export interface Line {
  /** Counted from 1. */
  number: number;
  /** Where the line starts in the (decompressed) input [bytes]. */
  offset: number;
  text: string;
  /** Longer than the limit: `text` is empty and the bytes were passed over without being held. */
  tooLong: boolean;
}

/** A byte order mark, as Windows writes it at the start of a file, is no part of its first line. */
const withoutBom = (bytes: Buffer): Buffer =>
  bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? bytes.subarray(3) : bytes;

/** Lines of a byte stream, cut at \n (a \r before it is taken away); a line over `longest` bytes is skipped, not held. */
export async function* linesOf(bytes: AsyncIterable<Uint8Array>, longest: number): AsyncGenerator<Line> {
  let held: Uint8Array[] = [];
  let size = 0;
  let number = 0;
  let offset = 0;
  const take = (): Line => {
    const whole = size > longest ? null : Buffer.concat(held);
    const line = {
      number: ++number,
      offset,
      text: whole ? (number === 1 ? withoutBom(whole) : whole).toString('utf8').replace(/\r$/, '') : '',
      tooLong: !whole,
    };
    offset += size + 1;
    held = [];
    size = 0;
    return line;
  };
  for await (const chunk of bytes) {
    let start = 0;
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, start)) {
      size += end - start;
      if (size <= longest) held.push(chunk.subarray(start, end));
      yield take();
      start = end + 1;
    }
    if (start < chunk.length) {
      size += chunk.length - start;
      if (size <= longest) held.push(chunk.subarray(start));
      else held = [];
    }
  }
  if (size > 0) yield take();
}
