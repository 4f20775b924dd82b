/** A record as it stands in a run of bytes, or a stretch that holds none. Positions count from the start of that run [bytes]. */
export type Parsed =
  | {
      kind: 'record';
      format: 'warc' | 'arc';
      /** `1.1`, `1.0` … */
      version: string;
      /** Names as written, values trimmed and unfolded. ARC lines are given WARC names. */
      fields: [name: string, value: string][];
      start: number;
      /** After the block, before the blank lines. */
      end: number;
      blockStart: number;
      blockLength: number;
      /** Null where the block is longer than the limit. */
      block: Buffer | null;
    }
  | { kind: 'damage'; start: number; end: number; reason: string };

/** Bytes from somewhere, piece by piece; null at the end. */
export type NextBytes = () => Promise<Buffer | null>;

const LONGEST_HEADER = 64 << 10;
const LOOK_AHEAD = 512;
const WARC_START = /^WARC\/(\d{1,3}\.\d{1,3})[ \t]{0,9}\r?\n[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}[ \t]{0,9}:/i;
const ARC_LINE = /^([a-z][a-z0-9+.-]{0,30}:\S.{0,8000}) (\S{1,45}) (\d{8,17}) ([^\n]{0,200}?) (\d{1,15})\r?\n/i;

/**
 * Reads WARC (any version) and ARC records from plain bytes, in order, holding at most one block of `longestBlock` bytes.
 * Never throws for what the bytes hold: after damage it looks for the next line that begins a record, and says what was passed over.
 * A record is whole when its stated length is followed by blank lines, by another record or by the end.
 */
export async function* parseRecords(next: NextBytes, longestBlock: number, arc = false): AsyncGenerator<Parsed> {
  let buffer: Buffer = Buffer.alloc(0);
  let base = 0;
  let at = 0;
  let ended = false;
  let isArc = arc;

  /** Makes sure that `n` bytes from `at` are held, unless the input ends before. */
  const need = async (n: number): Promise<boolean> => {
    if (buffer.length - at >= n) return true;
    if (ended) return false;
    const pieces = [buffer.subarray(at)];
    let size = pieces[0]!.length;
    while (size < n) {
      const piece = await next();
      if (piece === null) {
        ended = true;
        break;
      }
      pieces.push(piece);
      size += piece.length;
    }
    base += at;
    at = 0;
    buffer = pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
    return size >= n;
  };
  const startsRecord = (from: number): boolean => {
    const first = buffer[from];
    if (first === 87 || first === 119) return WARC_START.test(buffer.toString('latin1', from, from + LOOK_AHEAD));
    return isArc && ARC_LINE.test(buffer.toString('latin1', from, from + 9000));
  };
  const skipBlankLines = async () => {
    for (;;) {
      while (at < buffer.length && (buffer[at] === 13 || buffer[at] === 10)) at++;
      if (at < buffer.length || !(await need(1))) return;
    }
  };
  /** Goes to the next line that begins a record, or to the end. */
  const resynchronise = async () => {
    let from = at;
    for (;;) {
      await need(from - at + LOOK_AHEAD);
      const feed = buffer.indexOf(10, from);
      if (feed === -1) {
        at = buffer.length;
        if (!(await need(1))) return;
        from = at;
        continue;
      }
      at = feed + 1;
      await need(isArc ? 9000 : LOOK_AHEAD);
      if (startsRecord(at)) return;
      from = at;
      if (ended && at >= buffer.length) return;
    }
  };

  await need(LOOK_AHEAD);
  if (buffer.toString('latin1', 0, 11) === 'filedesc://') isArc = true;
  for (;;) {
    await skipBlankLines();
    await need(isArc ? 9000 : LOOK_AHEAD);
    if (at >= buffer.length) return;
    const start = base + at;
    if (!startsRecord(at)) {
      await resynchronise();
      yield { kind: 'damage', start, end: base + at, reason: 'not_a_record' };
      continue;
    }
    await need(LONGEST_HEADER);
    const header = parseHeader(buffer, at);
    if (header === null) {
      at++;
      await resynchronise();
      yield { kind: 'damage', start, end: base + at, reason: ended && at >= buffer.length ? 'cut' : 'header_too_long' };
      continue;
    }
    at = header.end;
    const blockStart = base + at;
    const lengthText = header.fields.find(([n]) => n.toLowerCase() === 'content-length')?.[1];
    const length = /^\d{1,15}$/.test(lengthText ?? '') ? Number(lengthText) : -1;
    if (length < 0) {
      await resynchronise();
      yield {
        kind: 'damage',
        start,
        end: base + at,
        reason: lengthText === undefined ? 'length_missing' : 'length_invalid',
      };
      continue;
    }
    const record = { kind: 'record' as const, version: header.version, fields: header.fields, start, blockStart };
    const format = header.arc ? ('arc' as const) : ('warc' as const);
    if (length > longestBlock) {
      const skipped = await skip(length);
      if (skipped < length) yield { kind: 'damage', start, end: base + at, reason: 'cut' };
      else yield { ...record, format, end: blockStart + length, blockLength: length, block: null };
      continue;
    }
    const complete = await need(length);
    if (complete && (await endsWell(length))) {
      const block = buffer.subarray(at, at + length);
      at += length;
      yield { ...record, format, end: base + at, blockLength: length, block };
      continue;
    }
    // A record may begin right where the block should: its own blank line is the line before.
    if (!startsRecord(at)) await resynchronise();
    const atEnd = ended && at >= buffer.length;
    yield { kind: 'damage', start, end: base + at, reason: !complete && atEnd ? 'cut' : 'length_wrong' };
  }

  async function skip(n: number): Promise<number> {
    let left = n;
    for (;;) {
      const here = Math.min(left, buffer.length - at);
      at += here;
      left -= here;
      if (left === 0 || !(await need(1))) return n - left;
    }
  }

  /** Whether the bytes after a block of this length are an end: CRLF CRLF, or blank lines and then a record or nothing. */
  async function endsWell(length: number): Promise<boolean> {
    await need(length + 4 + LOOK_AHEAD);
    let after = at + length;
    if (buffer.toString('latin1', after, after + 4) === '\r\n\r\n') return true;
    while (buffer[after] === 13 || buffer[after] === 10) after++;
    return after >= buffer.length || startsRecord(after);
  }
}

interface Header {
  arc: boolean;
  version: string;
  fields: [string, string][];
  /** Where the block starts in the buffer. */
  end: number;
}

function parseHeader(buffer: Buffer, at: number): Header | null {
  const first = buffer[at];
  if (first !== 87 && first !== 119) return parseArcLine(buffer, at);
  const warc = WARC_START.exec(buffer.toString('latin1', at, at + LOOK_AHEAD));
  if (!warc) return parseArcLine(buffer, at);
  const limit = Math.min(buffer.length, at + LONGEST_HEADER);
  const fields: [string, string][] = [];
  let from = buffer.indexOf(10, at) + 1;
  for (;;) {
    const feed = buffer.indexOf(10, from);
    if (feed === -1 || feed >= limit) return null;
    const line = buffer.toString('utf8', from, feed).replace(/\r$/, '');
    from = feed + 1;
    if (line === '') return { arc: false, version: warc[1]!, fields, end: from };
    const colon = line.indexOf(':');
    if (/^[ \t]/.test(line) && fields.length > 0) {
      const last = fields.at(-1)!;
      last[1] = `${last[1]} ${line.trim()}`.trim();
    } else if (colon > 0) {
      fields.push([line.slice(0, colon).trim(), line.slice(colon + 1).trim()]);
    }
  }
}

function parseArcLine(buffer: Buffer, at: number): Header | null {
  const found = ARC_LINE.exec(buffer.toString('latin1', at, at + 9000));
  if (!found) return null;
  const [line, url, address, date, type, length] = found as unknown as [string, string, string, string, string, string];
  const d = date.padEnd(14, '0');
  const stamp = `${d.slice(0, 4)}-${d.slice(4, 6)}-${d.slice(6, 8)}T${d.slice(8, 10)}:${d.slice(10, 12)}:${d.slice(12, 14)}Z`;
  const fields: [string, string][] = [
    ['WARC-Type', url.startsWith('filedesc://') ? 'arc_header' : 'response'],
    ['WARC-Target-URI', url],
    ['WARC-IP-Address', address],
    ['WARC-Date', stamp],
    ['Content-Type', type],
    ['Content-Length', length],
  ];
  return { arc: true, version: '1', fields, end: at + line.length };
}
