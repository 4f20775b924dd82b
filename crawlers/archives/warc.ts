import { open, type FileHandle } from 'node:fs/promises';
import { explainSystemError } from '../../core/errors.ts';
import { inflateMember, isMember, streamMembers } from './gzip-members.ts';
import { BODY_LIMITS, decodeBody, parseHttpHead, type BodyLimits, type HttpHead } from './http-message.ts';
import { parseRecords, type Parsed } from './warc-parse.ts';

/** A record of a WARC or ARC file. */
export interface WarcRecord {
  kind: 'record';
  format: 'warc' | 'arc';
  version: string;
  /** WARC-Type in lower case; empty where it is missing. */
  type: string;
  /** Named fields, names as written. */
  fields: [name: string, value: string][];
  /** Where it starts in the file [bytes]; null where it shares a gzip member with others and cannot be read alone. */
  offset: number | null;
  /** What it takes up in the file, compressed, without blank lines after it where the file is plain [bytes]; null as above. */
  length: number | null;
  /** As the record states it [bytes]. */
  blockLength: number;
  /** Null where it is longer than the limit. */
  block: Buffer | null;
}

/** A stretch of the file that holds no whole record. */
export interface WarcDamage {
  kind: 'damage';
  /** Where it starts in the file [bytes]. */
  offset: number;
  /** not_a_record, cut, length_missing, length_invalid, length_wrong, header_too_long, not_a_member, member_cut or member_damaged. */
  reason: string;
}

/** Blocks beyond this are passed over [bytes]. */
const LONGEST_BLOCK = 64 << 20;

/** The first value of a named field, by its name in any case; undefined where it is missing. `<uri>` of old writers loses its brackets. */
export function field(record: Pick<WarcRecord, 'fields'>, name: string): string | undefined {
  const lower = name.toLowerCase();
  const value = record.fields.find(([n]) => n.toLowerCase() === lower)?.[1];
  return lower === 'warc-target-uri' ? value?.replace(/^<(.*)>$/s, '$1') : value;
}

/**
 * The records of a WARC or ARC file in file order, plain or gzip (told by its bytes, not by its name), one or more members.
 * Memory is bounded by `longestBlock`; damage is a value and the reading goes on behind it. Throws a GarnerError for a missing file.
 */
export async function* readRecords(
  path: string,
  longestBlock = LONGEST_BLOCK,
): AsyncGenerator<WarcRecord | WarcDamage> {
  const file = await open(path, 'r').catch((error: unknown) => {
    throw explainSystemError(error, path);
  });
  try {
    const magic = Buffer.alloc(4);
    await file.read(magic, 0, 4, 0);
    if (isMember(magic, 0)) yield* readMembers(file, longestBlock);
    else for await (const p of parseRecords(pieces(file, 0), longestBlock)) yield outward(p, p.start, p.end - p.start);
  } finally {
    await file.close();
  }
}

function outward(p: Parsed, offset: number | null, length: number | null): WarcRecord | WarcDamage {
  if (p.kind === 'damage') return { kind: 'damage', offset: offset ?? p.start, reason: p.reason };
  const { format, version, fields, blockLength, block } = p;
  const type = field(p, 'WARC-Type')?.toLowerCase() ?? '';
  return { kind: 'record', format, version, type, fields, offset, length, blockLength, block };
}

const pieces = (file: FileHandle, from: number) => {
  let position = from;
  return async (): Promise<Buffer | null> => {
    const piece = Buffer.allocUnsafe(1 << 20);
    const { bytesRead } = await file.read(piece, 0, piece.length, position);
    position += bytesRead;
    return bytesRead === 0 ? null : piece.subarray(0, bytesRead);
  };
};

async function* readMembers(file: FileHandle, longestBlock: number): AsyncGenerator<WarcRecord | WarcDamage> {
  let arc = false;
  for await (const member of streamMembers(file, (data) => isRecordStart(data))) {
    if (member.kind === 'damage') {
      yield { kind: 'damage', offset: member.offset, reason: member.reason };
      continue;
    }
    // A member is read one record ahead: only the second record tells that the first is not alone in it.
    let first: Parsed | null = null;
    let count = 0;
    const { offset } = member;
    for await (const p of parseRecords(member.next, longestBlock, arc)) {
      if (p.kind === 'record' && p.format === 'arc') arc = true;
      if (count++ === 0) {
        first = p;
        continue;
      }
      if (first) yield shared(first, offset);
      first = null;
      yield shared(p, offset);
    }
    const failed = member.failure();
    if (first && failed === null) yield outward(first, offset, member.length());
    if (failed !== null) yield { kind: 'damage', offset, reason: failed };
  }
}

const shared = (p: Parsed, offset: number): WarcRecord | WarcDamage =>
  p.kind === 'damage' ? { kind: 'damage', offset, reason: p.reason } : outward(p, null, null);

const isRecordStart = (data: Buffer): boolean =>
  /^[\r\n]{0,16}(?:WARC\/\d|[a-z][a-z0-9+.-]{0,30}:\S)/i.test(data.toString('latin1', 0, 64));

/** What a capture holds. */
export interface CaptureContent {
  ok: true;
  /** WARC-Type: response, resource or conversion (a page as a browser left it). */
  type: string;
  url: string | null;
  /** HTTP status; null for resource and conversion records. */
  status: number | null;
  /** Names as sent. A record without HTTP head has its Content-Type here. */
  headers: HttpHead['headers'];
  /** Transfer and content codings undone. */
  body: Buffer;
  /** What was forgiven: not_chunked, not_gzip, cut … */
  notes: string[];
}

export interface CaptureFailure {
  ok: false;
  /** not_a_record, damaged, too_large, no_http, size, ratio, coding_damaged or unknown_coding. */
  reason: string;
}

/**
 * Reads one capture by where it lies: `offset` and `length` of its row [bytes in the file]. A record that cannot be read
 * is a value with a reason; throws a GarnerError only where the file itself is missing.
 */
export async function readCapture(
  file: string,
  offset: number,
  length: number,
  limits: BodyLimits = BODY_LIMITS,
): Promise<CaptureContent | CaptureFailure> {
  if (length > LONGEST_BLOCK) return { ok: false, reason: 'too_large' };
  const data = Buffer.allocUnsafe(length);
  const handle = await open(file, 'r').catch((error: unknown) => {
    throw explainSystemError(error, file);
  });
  try {
    const { bytesRead } = await handle.read(data, 0, length, offset);
    if (bytesRead < length) return { ok: false, reason: 'damaged' };
  } finally {
    await handle.close();
  }
  let plain: Buffer = data;
  if (isMember(data, 0)) {
    const member = inflateMember(data, 0, LONGEST_BLOCK + (1 << 20));
    if (!('data' in member)) return { ok: false, reason: member.failed === 'too_large' ? 'too_large' : 'damaged' };
    plain = member.data;
  }
  let rest: Buffer | null = plain;
  const next = () => {
    const whole = rest;
    rest = null;
    return Promise.resolve(whole);
  };
  for await (const p of parseRecords(next, LONGEST_BLOCK, true)) {
    if (p.kind === 'damage') return { ok: false, reason: 'damaged' };
    return contentOf(outward(p, offset, length) as WarcRecord, limits);
  }
  return { ok: false, reason: 'not_a_record' };
}

/** The content of a record that is in hand: as `readCapture`. */
export function contentOf(record: WarcRecord, limits: BodyLimits = BODY_LIMITS): CaptureContent | CaptureFailure {
  const { type, block } = record;
  if (block === null) return { ok: false, reason: 'too_large' };
  const url = field(record, 'WARC-Target-URI') ?? null;
  const http =
    type !== 'arc_header' &&
    (/^application\/http\b/i.test(field(record, 'Content-Type') ?? '') ||
      (record.format === 'arc' && block.toString('latin1', 0, 5) === 'HTTP/'));
  if (!http || type === 'conversion') {
    if (block.length > limits.bytes) return { ok: false, reason: 'size' };
    const media = field(record, 'Content-Type');
    return {
      ok: true,
      type,
      url,
      status: null,
      headers: media ? [['Content-Type', media]] : [],
      body: block,
      notes: [],
    };
  }
  const head = parseHttpHead(block);
  if (!head || (type === 'response' && head.status === null)) return { ok: false, reason: 'no_http' };
  const decoded = decodeBody(head, block, limits);
  if ('reason' in decoded) return { ok: false, reason: decoded.reason };
  return { ok: true, type, url, status: head.status, headers: head.headers, ...decoded };
}
