import { documentId } from '../../core/hash.ts';
import type { Capture } from '../../core/records/index.ts';
import { isPage, outcomeOfStatus, refuseOptOut } from '../web/outcome.ts';
import { AGENT, decodeForLinks, headerOptOuts, readPage, sortOptOuts } from '../web/page.ts';
import { normaliseUrl } from '../web/url.ts';
import { digestOf } from '../web/warc-writer.ts';
import { contentType, headerValues, parseHttpHead, payloadOf, type HttpHead } from './http-message.ts';
import { contentOf, field, type WarcDamage, type WarcRecord } from './warc.ts';

const SHOWN = new Set(['response', 'resource', 'conversion', 'revisit']);

/** The capture row of a record, pages with an opt-out of `obey` refused; null for records that are no captures (warcinfo, request, metadata, continuation, unknown). */
export function captureOfRecord(
  source: string,
  path: string,
  record: WarcRecord,
  obey: readonly string[],
): Capture | null {
  if (!SHOWN.has(record.type)) return null;
  const stated = field(record, 'WARC-Target-URI') ?? '';
  const date = Date.parse(field(record, 'WARC-Date') ?? '');
  const row: Capture = {
    ...empty(source, path, record.offset),
    id: field(record, 'WARC-Record-ID') ?? documentId(path, String(record.offset)),
    url: normaliseUrl(stated) ?? stated,
    fetched_at: Number.isNaN(date) ? null : date,
    warc_length: record.length,
    outcome: 'fetched',
  };
  const { block } = record;
  if (record.type === 'revisit') return { ...row, outcome: 'skipped', reason: 'revisit' };
  if (block === null) return { ...row, bytes: record.blockLength, outcome: 'refused', reason: 'size' };
  if (!/^https?:/i.test(row.url)) return { ...row, bytes: block.length, outcome: 'not_page', reason: 'scheme' };
  const http = record.type === 'response' ? parseHttpHead(block) : null;
  if (record.type === 'response' && (!http || http.status === null))
    return { ...row, outcome: 'failed', reason: 'no_http' };
  const payload = http ? payloadOf(http, block) : block;
  const headers: HttpHead['headers'] = http?.headers ?? [['Content-Type', field(record, 'Content-Type') ?? '']];
  const { mediaType, charset } = contentType(headers);
  Object.assign(row, {
    status: http?.status ?? null,
    media_type: mediaType,
    charset,
    bytes: payload.length,
    digest: digestOf(payload),
    opt_outs: sortOptOuts(headerOptOuts(headers, AGENT)),
  });
  const location = http ? headerValues(headers, 'location')[0] : undefined;
  if (http && http.status! >= 300 && http.status! < 400 && location !== undefined) {
    return { ...row, outcome: 'redirected', location: normaliseUrl(location, row.url) };
  }
  if (http) [row.outcome, row.reason] = outcomeOfStatus(http.status!);
  if (row.outcome !== 'fetched') return row;
  const content = contentOf(record);
  if (!content.ok) return { ...row, outcome: 'failed', reason: content.reason };
  if (!isPage(mediaType, content.body)) return { ...row, outcome: 'not_page', reason: 'media_type' };
  if (mediaType !== 'text/plain') {
    const head = { status: row.status, line: '', headers, bodyStart: 0 };
    const facts = readPage(decodeForLinks(content.body, charset), row.url, head, AGENT);
    Object.assign(row, { opt_outs: facts.optOuts, licence: facts.licence });
  }
  const truncated = field(record, 'WARC-Truncated');
  if (truncated) row.reason = `truncated_${truncated.toLowerCase()}`;
  return refuseOptOut(row, obey);
}

/** The row of a stretch of an archive that holds no whole record. */
export const captureOfDamage = (source: string, path: string, damage: WarcDamage): Capture => ({
  ...empty(source, path, damage.offset),
  id: documentId(path, `damage ${damage.offset}`),
  url: `${path}#${damage.offset}`,
  outcome: 'failed',
  reason: damage.reason,
});

/** A record's bytes, uncompressed, as the standard writes them; fields and block are those that were read. */
export function reencode(record: WarcRecord): Buffer {
  const fields = record.fields.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  const version = record.format === 'arc' ? '1.0' : record.version;
  return Buffer.concat([Buffer.from(`WARC/${version}\r\n${fields}\r\n`), record.block!, Buffer.from('\r\n\r\n')]);
}

const empty = (source: string, path: string, offset: number | null): Capture => ({
  id: '',
  source,
  url: '',
  referrer: null,
  depth: null,
  fetched_at: null,
  status: null,
  media_type: null,
  charset: null,
  bytes: null,
  digest: null,
  warc_file: path,
  warc_offset: offset,
  warc_length: null,
  outcome: 'failed',
  reason: null,
  location: null,
  opt_outs: [],
  licence: null,
});
