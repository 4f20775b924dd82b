import type { FileHandle } from 'node:fs/promises';
import { constants, crc32, createInflateRaw, inflateRawSync, type InflateRaw } from 'node:zlib';
import type { NextBytes } from './warc-parse.ts';

/** Whether a gzip member may begin there: magic, deflate, no reserved flags. */
export const isMember = (data: Buffer, at: number): boolean =>
  data[at] === 0x1f && data[at + 1] === 0x8b && data[at + 2] === 8 && (data[at + 3]! & 0xe0) === 0;

/** Where the deflate data of a member begins, or -1 where its head is not whole. */
function dataStart(data: Buffer, at: number): number {
  const flags = data[at + 3]!;
  let p = at + 10;
  if (flags & 4) {
    if (p + 2 > data.length) return -1;
    p += 2 + data.readUInt16LE(p);
  }
  for (const flag of [8, 16]) {
    if (!(flags & flag)) continue;
    const zero = data.indexOf(0, p);
    if (zero === -1) return -1;
    p = zero + 1;
  }
  if (flags & 2) p += 2;
  return p <= data.length ? p : -1;
}

export type Inflated = { data: Buffer; end: number } | { failed: 'needs_more' | 'damaged' | 'too_large' };

/** One gzip member of a buffer, checked by its CRC and length; `end` is where the next one begins. Holds at most `longest` bytes. */
export function inflateMember(buffer: Buffer, at: number, longest: number): Inflated {
  const start = dataStart(buffer, at);
  if (start === -1) return { failed: 'needs_more' };
  try {
    const { buffer: data, engine } = inflateRawSync(buffer.subarray(start), {
      info: true,
      maxOutputLength: longest,
    }) as unknown as { buffer: Buffer; engine: InflateRaw };
    const end = start + engine.bytesWritten + 8;
    if (end > buffer.length) return { failed: 'needs_more' };
    const sound = buffer.readUInt32LE(end - 8) === crc32(data) && buffer.readUInt32LE(end - 4) === data.length >>> 0;
    return sound ? { data, end } : { failed: 'damaged' };
  } catch (error) {
    const { code } = error as { code?: string };
    if (code === 'Z_BUF_ERROR') return { failed: 'needs_more' };
    return { failed: code === 'ERR_BUFFER_TOO_LARGE' ? 'too_large' : 'damaged' };
  }
}

export type Member =
  | {
      kind: 'member';
      offset: number;
      /** Its data, to be read to the end before the next member is asked for. */
      next: NextBytes;
      /** Compressed length, known once the data has been read [bytes]. */
      length(): number;
      /** member_cut or member_damaged, known once the data has been read. */
      failure(): string | null;
    }
  | { kind: 'damage'; offset: number; reason: string };

const WINDOW = 1 << 20;
/** Larger members are inflated as a stream. */
const LARGEST_AT_ONCE = 8 << 20;

/**
 * The members of a gzip file one after another, with where they lie. After damage it goes to the next place where a
 * member begins whose data `accept` takes.
 */
export async function* streamMembers(file: FileHandle, accept: (data: Buffer) => boolean): AsyncGenerator<Member> {
  let window: Buffer = Buffer.alloc(0);
  let base = 0;
  const { size } = await file.stat();
  /** Makes the window begin at `from` and hold `n` bytes, or all that is left. */
  const load = async (from: number, n: number) => {
    const wanted = Math.min(n, size - from);
    if (from >= base && from + wanted <= base + window.length) {
      window = window.subarray(from - base);
      base = from;
      return;
    }
    const fresh = Buffer.allocUnsafe(Math.max(0, Math.min(Math.max(n, WINDOW), size - from)));
    const { bytesRead } = await file.read(fresh, 0, fresh.length, from);
    [window, base] = [fresh.subarray(0, bytesRead), from];
  };

  let at = 0;
  while (at < size) {
    await load(at, Math.min(WINDOW / 4, size - at));
    if (!isMember(window, 0)) {
      yield { kind: 'damage', offset: at, reason: 'not_a_member' };
      at = await findMember(at + 1);
      continue;
    }
    let inflated = inflateMember(window, 0, LARGEST_AT_ONCE);
    while ('failed' in inflated && inflated.failed === 'needs_more') {
      const wanted = Math.max(WINDOW, window.length * 4);
      if (window.length >= size - at || wanted > LARGEST_AT_ONCE) break;
      await load(at, wanted);
      inflated = inflateMember(window, 0, LARGEST_AT_ONCE);
    }
    if ('data' in inflated) {
      let data: Buffer | null = inflated.data;
      const length = inflated.end;
      const next = () => {
        const whole = data;
        data = null;
        return Promise.resolve(whole);
      };
      yield { kind: 'member', offset: at, next, length: () => length, failure: () => null };
      at += length;
      continue;
    }
    if (inflated.failed === 'damaged') {
      yield { kind: 'damage', offset: at, reason: 'member_damaged' };
      at = await findMember(at + 1);
      continue;
    }
    const stream = streamMember(file, at, window);
    yield { kind: 'member', offset: at, next: stream.next, length: stream.length, failure: stream.failure };
    at = stream.failure() === null ? at + stream.length() : await findMember(at + 1);
  }

  async function findMember(from: number): Promise<number> {
    let here = from;
    while (here < size) {
      await load(here, WINDOW / 4);
      const found = window.indexOf(Buffer.from([0x1f, 0x8b, 8]));
      if (found === -1) {
        here += Math.max(1, window.length - 2);
        continue;
      }
      here += found;
      await load(here, 16 << 10);
      if (isMember(window, 0) && accept(beginning(window))) return here;
      here++;
    }
    return size;
  }
}

/** The first bytes of a member's data, as far as some kilobytes of it tell. */
function beginning(data: Buffer): Buffer {
  const start = dataStart(data, 0);
  if (start === -1) return Buffer.alloc(0);
  try {
    return inflateRawSync(data.subarray(start, start + (8 << 10)), { finishFlush: constants.Z_SYNC_FLUSH });
  } catch {
    return Buffer.alloc(0);
  }
}

/** A member that is too large, or too broken, to be inflated at once. */
function streamMember(file: FileHandle, offset: number, window: Buffer) {
  const start = dataStart(window, 0);
  const inflate = createInflateRaw({ chunkSize: 256 << 10 });
  let failure: string | null = start === -1 ? 'member_cut' : null;
  let crc = 0;
  let total = 0;
  let position = offset + Math.max(0, start);
  let trailerAt = 0;
  let done = start === -1;
  const feed = async () => {
    while (!inflate.writableEnded && !inflate.destroyed) {
      const piece = Buffer.allocUnsafe(256 << 10);
      const { bytesRead } = await file.read(piece, 0, piece.length, position);
      position += bytesRead;
      if (bytesRead === 0) inflate.end();
      else if (!inflate.write(piece.subarray(0, bytesRead)))
        await new Promise<void>((resolve) => {
          inflate.once('drain', resolve);
          inflate.once('end', resolve);
          inflate.once('close', resolve);
        });
    }
  };
  const output = inflate[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  let feeding: Promise<void> | undefined;
  const next: NextBytes = async () => {
    if (done) return null;
    feeding ??= feed().catch((error: unknown) => void inflate.destroy(error as Error));
    try {
      const { value, done: end } = await output.next();
      if (!end) {
        crc = crc32(value, crc);
        total += value.length;
        return value;
      }
      trailerAt = offset + start + inflate.bytesWritten;
      const trailer = Buffer.alloc(8);
      const { bytesRead } = await file.read(trailer, 0, 8, trailerAt);
      const sound = bytesRead === 8 && trailer.readUInt32LE(0) === crc && trailer.readUInt32LE(4) === total % 2 ** 32;
      if (!sound) failure = bytesRead === 8 ? 'member_damaged' : 'member_cut';
    } catch (error) {
      failure = (error as { code?: string }).code === 'Z_BUF_ERROR' ? 'member_cut' : 'member_damaged';
    }
    done = true;
    inflate.destroy();
    return null;
  };
  return { next, length: () => trailerAt + 8 - offset, failure: () => failure };
}
