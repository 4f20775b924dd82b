import { brotliDecompressSync, constants, gunzipSync, inflateRawSync, inflateSync } from 'node:zlib';

/** What a body may cost its reader. */
export interface BodyLimits {
  /** Longest body after all codings are undone [bytes]. */
  bytes: number;
  /** Largest growth by decompression; bodies that stay under 1 MiB are exempt. */
  ratio: number;
}

/** Room for the largest page that a crawl takes, and a growth that HTML reaches and bombs exceed. */
export const BODY_LIMITS: BodyLimits = { bytes: 64 << 20, ratio: 200 };

export interface HttpHead {
  /** Null where the message is a request. */
  status: number | null;
  /** First line without its end. */
  line: string;
  /** Names as sent, values trimmed and unfolded; bytes as Latin-1 characters. */
  headers: [name: string, value: string][];
  /** Where the body starts in the message [bytes]. */
  bodyStart: number;
}

const LONGEST_HEAD = 256 << 10;

/** The head of an HTTP/1.x message (HTTP/2 written in that shape too), or null where there is none. Bare LF ends lines as CRLF does. */
export function parseHttpHead(message: Buffer): HttpHead | null {
  const end = headEnd(message);
  const lines = message.toString('latin1', 0, end).split(/\r?\n/);
  const line = lines[0] ?? '';
  const answer = /^HTTP\/\d(?:\.\d+)? {1,9}(\d{3})(?!\d)/i.exec(line);
  if (!answer && !/^[A-Z]{1,20} \S.{0,9} ?HTTP\/\d|^[A-Z]{1,20} /.test(line)) return null;
  const headers: [string, string][] = [];
  for (const text of lines.slice(1)) {
    if (text === '') continue;
    if (/^[ \t]/.test(text) && headers.length > 0) {
      headers.at(-1)![1] += ` ${text.trim()}`;
      continue;
    }
    const colon = text.indexOf(':');
    if (colon > 0) headers.push([text.slice(0, colon).trim(), text.slice(colon + 1).trim()]);
  }
  return { status: answer ? Number(answer[1]) : null, line, headers, bodyStart: end };
}

function headEnd(message: Buffer): number {
  const limit = Math.min(message.length, LONGEST_HEAD);
  for (let from = 0; from < limit;) {
    const feed = message.indexOf(10, from);
    if (feed === -1) break;
    const next = message[feed + 1] === 13 ? feed + 2 : feed + 1;
    if (message[next] === 10) return next + 1;
    from = feed + 1;
  }
  return message.length;
}

/** Values of a header in order, by its name in any case. */
export const headerValues = (headers: HttpHead['headers'], name: string): string[] =>
  headers.filter(([n]) => n.toLowerCase() === name).map(([, value]) => value);

/** The media type in lower case and the charset of a Content-Type, null where absent. */
export function contentType(headers: HttpHead['headers']): { mediaType: string | null; charset: string | null } {
  const value = headerValues(headers, 'content-type')[0] ?? '';
  const mediaType = value.split(';')[0]!.trim().toLowerCase() || null;
  const charset = /;\s{0,9}charset\s{0,9}=\s{0,9}["']?([^\s"';,]{1,40})/i.exec(value)?.[1]?.toLowerCase() ?? null;
  return { mediaType, charset };
}

export type DecodedBody = { body: Buffer; notes: string[] } | { reason: string };

/** Undoes the transfer coding: `null` where the bytes are not chunked at all. Trailers are left out; a cut last chunk gives what is there. */
export function dechunk(data: Buffer): { body: Buffer; complete: boolean } | null {
  const parts: Buffer[] = [];
  let at = 0;
  for (;;) {
    const feed = data.indexOf(10, at);
    if (feed === -1 || feed - at > 4096)
      return parts.length > 0 ? { body: Buffer.concat(parts), complete: false } : null;
    const size = /^\s{0,9}([0-9a-f]{1,12})\s{0,9}(?:;.{0,4000})?\r?$/i.exec(data.toString('latin1', at, feed))?.[1];
    if (size === undefined) return parts.length > 0 ? { body: Buffer.concat(parts), complete: false } : null;
    const length = Number.parseInt(size, 16);
    if (length === 0) return { body: Buffer.concat(parts), complete: true };
    const start = feed + 1;
    parts.push(data.subarray(start, start + length));
    if (start + length > data.length) return { body: Buffer.concat(parts), complete: false };
    at = start + length;
    if (data[at] === 13) at++;
    if (data[at] === 10) at++;
  }
}

/** The payload of a message as it came over the wire: the transfer coding removed, the content coding kept. */
export function payloadOf(head: HttpHead, message: Buffer): Buffer {
  const body = message.subarray(head.bodyStart);
  const chunked = headerValues(head.headers, 'transfer-encoding').some((v) => /\bchunked\b/i.test(v));
  return (chunked ? dechunk(body)?.body : undefined) ?? body;
}

/**
 * The body of a response with its transfer and content codings undone (chunked; gzip, deflate with or without zlib's
 * head, br, also one over another). A server that names a coding it did not use is forgiven and noted. Reasons:
 * `size`, `ratio`, `coding_damaged`, `unknown_coding`.
 */
export function decodeBody(head: HttpHead, message: Buffer, limits: BodyLimits = BODY_LIMITS): DecodedBody {
  const notes: string[] = [];
  let body = message.subarray(head.bodyStart);
  const list = (name: string) =>
    headerValues(head.headers, name)
      .flatMap((v) => v.toLowerCase().split(','))
      .map((v) => v.trim())
      .filter((v) => v !== '' && v !== 'identity');
  const transfer = list('transfer-encoding');
  if (transfer.includes('chunked')) {
    const plain = dechunk(body);
    if (!plain) notes.push('not_chunked');
    else if (!plain.complete) notes.push('cut');
    body = plain?.body ?? body;
  }
  const codings = [...list('content-encoding'), ...transfer.filter((c) => c !== 'chunked')];
  if (codings.length > 4) return { reason: 'unknown_coding' };
  for (const coding of codings.toReversed()) {
    if (body.length === 0) break;
    const plain = undo(coding, body, limits);
    if ('reason' in plain) return plain;
    body = plain.body;
    notes.push(...plain.notes);
  }
  return body.length > limits.bytes ? { reason: 'size' } : { body, notes };
}

const SMALL = 1 << 20;

function undo(coding: string, data: Buffer, limits: BodyLimits): DecodedBody {
  const byRatio = Math.max(SMALL, data.length * limits.ratio);
  const options = { maxOutputLength: Math.min(limits.bytes, byRatio), finishFlush: constants.Z_SYNC_FLUSH };
  try {
    switch (coding) {
      case 'gzip':
      case 'x-gzip':
        if (data[0] !== 0x1f || data[1] !== 0x8b) return { body: data, notes: ['not_gzip'] };
        return { body: gunzipSync(data, options), notes: [] };
      case 'deflate': {
        const zlib = (data[0]! & 15) === 8 && data.length > 1 && data.readUInt16BE(0) % 31 === 0;
        return { body: zlib ? inflateSync(data, options) : inflateRawSync(data, options), notes: [] };
      }
      case 'br': {
        const brotli = { maxOutputLength: options.maxOutputLength, finishFlush: constants.BROTLI_OPERATION_FLUSH };
        return { body: brotliDecompressSync(data, brotli), notes: [] };
      }
      default:
        return { reason: 'unknown_coding' };
    }
  } catch (error) {
    const code = (error as { code?: string }).code;
    if (code === 'ERR_BUFFER_TOO_LARGE') return { reason: byRatio < limits.bytes ? 'ratio' : 'size' };
    return looksLikeText(data) ? { body: data, notes: [`not_${coding}`] } : { reason: 'coding_damaged' };
  }
}

/** A page that was sent as it is, though the server says compressed: no control bytes among the first ones. */
function looksLikeText(data: Buffer): boolean {
  const first = data.subarray(0, 512);
  return first.every((b) => b >= 32 || b === 9 || b === 10 || b === 13);
}
