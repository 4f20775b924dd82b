import { GarnerError } from '../../core/errors.ts';
import { readBytes } from '../../core/files.ts';
import { documentId } from '../../core/hash.ts';
import type { Document } from '../../core/records/index.ts';
import { extract, type ExtractHints, type Extraction } from '../extract/index.ts';
import type { InputFile } from './files.ts';
import type { FileRecord } from './record.ts';

/** A longer page is refused [bytes]. */
const LONGEST_PAGE = 64 << 20;

/** A whole HTML file, unpacked where its name ends in .gz; null where it is longer than `LONGEST_PAGE`. */
export async function readPageFile(path: string): Promise<Buffer | null> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of readBytes(path)) {
    size += piece.length;
    if (size > LONGEST_PAGE) return null;
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

/** The first opt-out of a page that is to be obeyed, or null. */
export const refusedBy = (optOuts: readonly string[], obey: readonly string[]): string | null =>
  optOuts.find((word) => obey.includes(word)) ?? null;

/** The columns of a document that come from its page. */
export function fieldsOf(
  e: Extraction,
): Pick<Document, 'text' | 'title' | 'author' | 'published' | 'language' | 'licence' | 'metadata'> {
  const { text, title, author, published, language, licence } = e;
  const metadata = {
    ...e.metadata,
    ...(e.canonical ? { canonical: e.canonical } : {}),
    ...(e.optOuts.length > 0 ? { opt_outs: e.optOuts.join(' ') } : {}),
  };
  return { text, title, author, published, language, licence, metadata };
}

/** An HTML file → document. Opt-outs in `obey` that the page states make it a refusal. */
export async function readHtml(
  file: InputFile,
  source: string,
  obey: readonly string[],
  hints: ExtractHints = {},
): Promise<FileRecord> {
  const id = documentId(source, file.name);
  const bad = (reason: string): FileRecord => ({ reason, location: file.name, id });
  const bytes = await readPageFile(file.path).catch((error: unknown) => {
    if (error instanceof GarnerError && /gzip/.test(error.message)) return 'damaged' as const;
    throw error;
  });
  if (bytes === null) return bad('too_large');
  if (bytes === 'damaged') return bad('damaged_gzip');
  const page = extract(bytes, hints);
  const refused = refusedBy(page.optOuts, obey);
  if (refused) return bad(`opt_out_${refused}`);
  if (page.reason) return bad(page.reason);
  return { document: { id, capture_id: null, source, url: page.canonical, ...fieldsOf(page), location: file.name } };
}
