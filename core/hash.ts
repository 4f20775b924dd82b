import { createHash, type BinaryLike } from 'node:crypto';
import { createReadStream } from 'node:fs';

/** SHA-256 in lower-case hexadecimal. */
export const sha256 = (data: BinaryLike): string => createHash('sha256').update(data).digest('hex');

/** SHA-256 of a file's bytes, streamed. */
export async function sha256File(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

/** JSON with sorted keys and without undefined members: equal values give equal text. Throws on NaN and infinities. */
export function stableJson(value: unknown): string {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return JSON.stringify(value);
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new Error(`stableJson: ${value} has no JSON form`);
    return JSON.stringify(value);
  }
  if (typeof value === 'bigint') return `${value}`;
  if (Array.isArray(value)) return `[${value.map((v) => stableJson(v === undefined ? null : v)).join(',')}]`;
  if (typeof value === 'object') {
    const members = Object.entries(value).filter(([, v]) => v !== undefined);
    members.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    return `{${members.map(([k, v]) => `${JSON.stringify(k)}:${stableJson(v)}`).join(',')}}`;
  }
  throw new Error(`stableJson: a ${typeof value} has no JSON form`);
}

/** Names a value: the first 64 bits of the SHA-256 of its stable JSON, 16 hexadecimal digits. */
export const keyOf = (value: unknown): string => sha256(stableJson(value)).slice(0, 16);

/** A document's id: 128 bits of SHA-256 over its source and its key there (a URL, a record's id, a line), 32 digits. */
export const documentId = (source: string, recordKey: string): string =>
  sha256(`${source}\u0000${recordKey}`).slice(0, 32);
