import { createHash } from 'node:crypto';
import { closeSync, fsyncSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { explainSystemError } from '../../core/errors.ts';
import { sha256File } from '../../core/hash.ts';

/** A finished file of an export. */
export interface ExportedFile {
  /** Path in the folder. */
  path: string;
  bytes: number;
  sha256: string;
}

/** A file that is written from front to back and knows its digest; numbers at its front may be put right at the end. */
export interface ExportFile {
  /** Absolute path of the unfinished file. */
  path: string;
  /** Written so far. */
  bytes: number;
  write(data: Uint8Array): void;
  /** Replaces bytes that were written; the digest is then read from the file again. */
  patch(position: number, data: Uint8Array): void;
  /** Closes it, flushed to the disk. `close` may be called once; what is not closed is no part of the export. */
  close(): Promise<ExportedFile>;
}

const BUFFER = 4 << 20;

/** Creates `name` in `folder`; `done` is told when it is whole. Throws a GarnerError where the disk is full. */
export function createFile(folder: string, name: string, done: (file: ExportedFile) => void): ExportFile {
  const path = join(folder, name);
  const guarded = <T>(work: () => T): T => {
    try {
      return work();
    } catch (error) {
      throw explainSystemError(error, path);
    }
  };
  mkdirSync(dirname(path), { recursive: true });
  const fd = guarded(() => openSync(path, 'w'));
  const hash = createHash('sha256');
  let patched = false;
  const held = Buffer.allocUnsafe(BUFFER);
  let filled = 0;
  const put = (data: Uint8Array) => {
    hash.update(data);
    guarded(() => {
      for (let at = 0; at < data.length;) at += writeSync(fd, data, at, data.length - at);
    });
  };
  const flush = () => {
    if (filled > 0) put(held.subarray(0, filled));
    filled = 0;
  };
  const file: ExportFile = {
    path,
    bytes: 0,
    write(data) {
      file.bytes += data.length;
      if (filled + data.length > BUFFER) flush();
      if (data.length >= BUFFER) return put(data);
      held.set(data, filled);
      filled += data.length;
    },
    patch(position, data) {
      flush();
      patched = true;
      guarded(() => writeSync(fd, data, 0, data.length, position));
    },
    async close() {
      flush();
      guarded(() => fsyncSync(fd));
      closeSync(fd);
      const digest = patched ? await sha256File(path) : hash.digest('hex');
      const whole = { path: name, bytes: file.bytes, sha256: digest };
      done(whole);
      return whole;
    },
  };
  return file;
}

/** The bytes of an array of numbers, without a copy. Files are little-endian, as every machine that garner runs on is. */
export const bytesOf = (array: NodeJS.TypedArray): Uint8Array =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
