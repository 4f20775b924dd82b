import {
  closeSync,
  existsSync,
  fdatasync,
  fsyncSync,
  openSync,
  readSync,
  statSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { promisify } from 'node:util';
import { crc32 } from 'node:zlib';
import { explainSystemError, GarnerError } from '../../core/errors.ts';
import type { Capture } from '../../core/records/index.ts';

/** What became of one URL: all that the crawl has to know of it later. */
export interface Settled {
  row: Capture;
  /** Links within the crawl's hosts, normalised, each once, sorted. */
  links: string[];
  /** Links to other hosts [count]. */
  outside: number;
  /** For a robots.txt: its text, or null where it could not be had. */
  robots?: { text: string | null; reason: string | null } | undefined;
  /** For a sitemap: pages and further sitemaps. */
  sitemap?: { pages: string[]; maps: string[] } | undefined;
  /** Where the WARC ended after this capture; null where none was written. */
  warc: { file: string; end: number } | null;
}

/** The crawl's memory on the disk: one line a settled URL, appended, never changed. */
export interface FrontierLog {
  has(url: string): boolean;
  /** Reads back what became of a URL. */
  get(url: string): Settled;
  append(url: string, settled: Settled): void;
  /** Every settled URL with what became of it, in the order of settling. */
  all(): Generator<Settled>;
  /** Where the WARC files end as far as this log knows; null where nothing was captured. */
  warcEnd: { file: string; end: number } | null;
  size: number;
  sync(): Promise<void>;
  close(): void;
}

const LONGEST_LINE = 256 << 20;
const fdatasyncAsync = promisify(fdatasync);

/**
 * Opens or begins a log: lines of `crc32 url-json settled-json`. A torn last line, as a kill leaves it, is cut off; a damaged
 * line before others is an error, since what follows it cannot be trusted. `sound` says whether the WARC bytes that a line
 * speaks of are there; from the first line on for which they are not, the log is cut too (a power cut may lose them).
 */
export function openFrontierLog(path: string, sound: (settled: Settled) => boolean): FrontierLog {
  const places = new Map<string, { offset: number; length: number }>();
  let warcEnd: FrontierLog['warcEnd'] = null;
  let end = 0;
  if (existsSync(path)) {
    const size = statSync(path).size;
    for (const { line, offset, next } of linesIn(path)) {
      const parsed = parse(line);
      if (!parsed) {
        if (next < size)
          throw new GarnerError({
            what: 'the frontier of the crawl is damaged',
            where: `${path}:${offset}`,
            hint: 'remove the file: the crawl begins anew',
          });
        break;
      }
      if (!sound(parsed.settled)) break;
      places.set(parsed.url, { offset, length: line.length });
      warcEnd = parsed.settled.warc ?? warcEnd;
      end = next;
    }
    if (end < size) truncateSync(path, end);
  }
  const fd = openSync(path, 'a+');
  let dirty = false;
  const readAt = ({ offset, length }: { offset: number; length: number }): Settled => {
    const line = Buffer.allocUnsafe(length);
    readSync(fd, line, 0, length, offset);
    return parse(line)!.settled;
  };
  return {
    has: (url) => places.has(url),
    get: (url) => readAt(places.get(url)!),
    append(url, settled) {
      const text = `${JSON.stringify(url)} ${JSON.stringify(settled)}`;
      const line = Buffer.from(`${crc32(text).toString(16).padStart(8, '0')} ${text}\n`);
      try {
        for (let done = 0; done < line.length;) done += writeSync(fd, line, done);
      } catch (error) {
        throw explainSystemError(error, path);
      }
      places.set(url, { offset: end, length: line.length - 1 });
      end += line.length;
      warcEnd = settled.warc ?? warcEnd;
      dirty = true;
    },
    *all() {
      for (const place of places.values()) yield readAt(place);
    },
    get warcEnd() {
      return warcEnd;
    },
    get size() {
      return places.size;
    },
    async sync() {
      if (!dirty) return;
      dirty = false;
      await fdatasyncAsync(fd);
    },
    close() {
      fsyncSync(fd);
      closeSync(fd);
    },
  };
}

function parse(line: Buffer): { url: string; settled: Settled } | null {
  const text = line.toString('utf8', 9);
  if (Number.parseInt(line.toString('latin1', 0, 8), 16) !== crc32(text)) return null;
  const space = text.indexOf('" {');
  return {
    url: JSON.parse(text.slice(0, space + 1)) as string,
    settled: JSON.parse(text.slice(space + 2)) as Settled,
  };
}

function* linesIn(path: string): Generator<{ line: Buffer; offset: number; next: number }> {
  const fd = openSync(path, 'r');
  try {
    let held: Buffer = Buffer.alloc(0);
    let offset = 0;
    let position = 0;
    const piece = Buffer.allocUnsafe(1 << 20);
    for (;;) {
      const got = readSync(fd, piece, 0, piece.length, position);
      position += got;
      held = held.length === 0 ? Buffer.from(piece.subarray(0, got)) : Buffer.concat([held, piece.subarray(0, got)]);
      let start = 0;
      for (let feed = held.indexOf(10); feed !== -1; feed = held.indexOf(10, start)) {
        yield { line: held.subarray(start, feed), offset: offset + start, next: offset + feed + 1 };
        start = feed + 1;
      }
      offset += start;
      held = held.subarray(start);
      if (held.length > LONGEST_LINE) return;
      if (got === 0) {
        if (held.length > 0) yield { line: held, offset, next: offset + held.length };
        return;
      }
    }
  } finally {
    closeSync(fd);
  }
}
