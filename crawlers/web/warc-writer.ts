import { createHash } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fdatasync,
  fsyncSync,
  openSync,
  readdirSync,
  statSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { garnerVersion } from '../../core/root.ts';
import { explainSystemError } from '../../core/errors.ts';

export interface RecordParts {
  type: 'warcinfo' | 'request' | 'response' | 'resource' | 'conversion' | 'metadata';
  /** Ready-made `<urn:uuid:…>`. */
  id: string;
  /** Milliseconds since 1970. */
  date: number;
  url?: string | undefined;
  contentType: string;
  /** Named fields beside the ones above, in order. */
  fields?: [name: string, value: string][];
  block: Buffer;
  /** What the payload digest is taken of; left out where the record has no payload. */
  payload?: Buffer | undefined;
}

/** Where a record stands. */
export interface Place {
  file: string;
  offset: number;
  length: number;
}

/** SHA-256 as WARC writes it here: `sha256:` and hexadecimal digits. */
export const digestOf = (data: Buffer): string => `sha256:${createHash('sha256').update(data).digest('hex')}`;

/** A record id that follows from what the record is about, in the form of a UUID (version 8, RFC 9562). */
export function recordId(...about: (string | number)[]): string {
  const h = createHash('sha256').update(about.join('\u0000')).digest('hex');
  return `<urn:uuid:${h.slice(0, 8)}-${h.slice(8, 12)}-8${h.slice(13, 16)}-a${h.slice(17, 20)}-${h.slice(20, 32)}>`;
}

/** The bytes of a record, uncompressed, its blank lines included (WARC 1.1, ISO 28500:2017). */
export function encodeRecord(r: RecordParts): Buffer {
  const fields: [string, string][] = [
    ['WARC-Type', r.type],
    ['WARC-Record-ID', r.id],
    ['WARC-Date', new Date(r.date).toISOString()],
    ...(r.url === undefined ? [] : ([['WARC-Target-URI', r.url]] as [string, string][])),
    ...(r.fields ?? []),
    ['WARC-Block-Digest', digestOf(r.block)],
    ...(r.payload === undefined ? [] : ([['WARC-Payload-Digest', digestOf(r.payload)]] as [string, string][])),
    ['Content-Type', r.contentType],
    ['Content-Length', String(r.block.length)],
  ];
  const head = fields.map(([name, value]) => `${name}: ${value.replace(/[\r\n]+/g, ' ')}\r\n`).join('');
  return Buffer.concat([Buffer.from(`WARC/1.1\r\n${head}\r\n`), r.block, Buffer.from('\r\n\r\n')]);
}

export interface WarcWriter {
  /** Appends records that belong together to one file, each a gzip member; says where they stand. */
  write(records: readonly RecordParts[]): Place[];
  /** Flushes to the disk. */
  sync(): Promise<void>;
  close(): void;
  /** Names of the files so far, in order. */
  files(): string[];
}

export interface WriterOptions {
  folder: string;
  /** Files are called `<prefix>-00000.warc.gz` and so on. */
  prefix: string;
  /** A new file is begun once one is larger [bytes]. */
  rotateAt: number;
  /** Fields of the warcinfo record: software is added. */
  info: [name: string, value: string][];
  /** What a resumed crawl knows to be whole: nothing behind `end` in file `file` counts, nor any later file. Null: begin anew. */
  resume: { file: string; end: number } | null;
}

const fdatasyncAsync = promisify(fdatasync);

/** Opens a folder of WARC files for appending; what a kill left behind the last known end is cut off. */
export function openWarcWriter({ folder, prefix, rotateAt, info, resume }: WriterOptions): WarcWriter {
  const name = (n: number) => `${prefix}-${String(n).padStart(5, '0')}.warc.gz`;
  const mine = readdirSync(folder)
    .filter((f) => f.startsWith(`${prefix}-`) && f.endsWith('.warc.gz'))
    .toSorted();
  const files: string[] = [];
  for (const file of mine) {
    const path = join(folder, file);
    if (resume && file < resume.file) files.push(file);
    else if (resume && file === resume.file) {
      truncateSync(path, resume.end);
      files.push(file);
    } else truncateSync(path, 0);
  }
  let fd = -1;
  let size = 0;
  let warcinfo = '';
  let dirty = false;
  const open = (file: string) => {
    const path = join(folder, file);
    const known = existsSync(path) ? statSync(path).size : 0;
    fd = openSync(path, 'a');
    size = known;
    if (!files.includes(file)) files.push(file);
    // Later records name the file's warcinfo by an id that follows from the file's name.
    warcinfo = recordId('warcinfo', file, ...info.flat());
    if (size > 0) return;
    const fields = [['software', `garner/${garnerVersion}`], ['format', 'WARC File Format 1.1'], ...info];
    append([
      {
        type: 'warcinfo',
        id: warcinfo,
        date: Date.now(),
        contentType: 'application/warc-fields',
        fields: [['WARC-Filename', file]],
        block: Buffer.from(fields.map(([k, v]) => `${k}: ${v}\r\n`).join('')),
      },
    ]);
    const directory = openSync(folder, 'r');
    fsyncSync(directory);
    closeSync(directory);
  };
  const append = (records: readonly RecordParts[]): Place[] => {
    const places: Place[] = [];
    const members = records.map((r) => gzipSync(encodeRecord(r), { level: 6 }));
    for (const member of members) {
      places.push({ file: files.at(-1)!, offset: size, length: member.length });
      size += member.length;
    }
    const all = Buffer.concat(members);
    for (let done = 0; done < all.length;) done += writeSync(fd, all, done);
    dirty = true;
    return places;
  };
  return {
    write(records) {
      try {
        if (fd === -1) open(files.at(-1) ?? name(0));
        else if (size >= rotateAt) {
          fsyncSync(fd);
          closeSync(fd);
          open(name(files.length));
        }
        return append(records.map((r) => ({ ...r, fields: [['WARC-Warcinfo-ID', warcinfo], ...(r.fields ?? [])] })));
      } catch (error) {
        throw explainSystemError(error, join(folder, files.at(-1) ?? name(0)));
      }
    },
    async sync() {
      if (!dirty || fd === -1) return;
      dirty = false;
      await fdatasyncAsync(fd);
    },
    close() {
      if (fd !== -1) {
        fsyncSync(fd);
        closeSync(fd);
      }
      fd = -1;
    },
    files: () => files,
  };
}
