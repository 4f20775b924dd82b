import { documentId } from '../../core/hash.ts';
import type { Document } from '../../core/records/index.ts';
import type { InputFile } from './files.ts';

/** A record of an input file: a document, or the reason why there is none. */
export type FileRecord = { document: Document } | BadRecord;

export interface BadRecord {
  /** not_json, no_text, empty, line_too_long, too_large, undecodable or opt_out_… */
  reason: string;
  /** File and record. */
  location: string;
  /** The id that the document would have had. */
  id: string;
  /** What was seen, a few words. */
  evidence?: string;
}

/** Which columns of a record mean what. */
export interface ColumnNames {
  text: string;
  id: string | undefined;
  url: string | undefined;
}

const LONGEST_VALUE = 10_000;
const MOST_FIELDS = 100;
const OWN = {
  title: 'title',
  author: 'author',
  published: 'published',
  language: 'language',
  licence: 'licence',
  license: 'licence',
} as const;

const bad = (reason: string, source: string, location: string): BadRecord => ({
  reason,
  location,
  id: documentId(source, location),
});

/**
 * A record of named values → document. The text must be a string that is not blank. `title`, `author`, `published`,
 * `language` and `licence` (or `license`) go to their columns where they are strings, everything else into `metadata`,
 * as text or JSON. The id hashes the source, the file, the record's own id or URL, and its place: ids that repeat do no harm.
 */
export function documentOf(
  record: Record<string, unknown>,
  columns: ColumnNames,
  source: string,
  file: InputFile,
  place: number,
): FileRecord {
  const location = `${file.name}:${place}`;
  const text = record[columns.text];
  if (typeof text !== 'string') return bad('no_text', source, location);
  if (text.trim() === '') return bad('empty', source, location);
  const idName = columns.id ?? 'id';
  const urlName = columns.url ?? 'url';
  const key = scalar(record[idName]) ?? scalar(record[urlName]);
  const url = record[urlName];
  const document: Document = {
    id: documentId(source, key === null ? location : `${location} ${key}`),
    capture_id: null,
    source,
    url: typeof url === 'string' && url !== '' ? tidy(url) : null,
    text: text.replaceAll('\u0000', '').toWellFormed(),
    title: null,
    author: null,
    published: null,
    language: null,
    licence: null,
    metadata: {},
    location,
  };
  let fields = 0;
  for (const [name, value] of Object.entries(record)) {
    if (name === columns.text || name === urlName || value === null || value === undefined || value === '') continue;
    const own = Object.hasOwn(OWN, name) ? OWN[name as keyof typeof OWN] : undefined;
    if (own && typeof value === 'string') document[own] = tidy(value);
    else if (fields++ < MOST_FIELDS)
      document.metadata[tidy(name)] = tidy(typeof value === 'string' ? value : JSON.stringify(value));
  }
  return { document };
}

const scalar = (value: unknown): string | null =>
  typeof value === 'string' && value !== ''
    ? value
    : typeof value === 'number' || typeof value === 'bigint'
      ? String(value)
      : null;

const tidy = (text: string): string => text.slice(0, LONGEST_VALUE).replaceAll('\u0000', '').toWellFormed();
