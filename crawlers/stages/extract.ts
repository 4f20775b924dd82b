import { basename, isAbsolute, join } from 'node:path';
import { documentId } from '../../core/hash.ts';
import { fileList, quote } from '../../core/lake/duckdb.ts';
import { queryBatches } from '../../core/lake/parquet.ts';
import { captures, column, type Capture, type Document } from '../../core/records/index.ts';
import { defineStage, filesIn, only, type Counts, type Inputs, type Task } from '../../core/stage/stage.ts';
import { listFiles } from '../archives/files.ts';
import { fieldsOf, refusedBy } from '../archives/html.ts';
import type { FilesRecipe } from '../archives/recipe.ts';
import { contentType } from '../archives/http-message.ts';
import { readCapture } from '../archives/warc.ts';
import { extractorIdentity } from '../extract/identity.ts';
import { extract } from '../extract/index.ts';
import { isRobotsTxt } from '../web/robots.ts';
import { documentWriter } from './document-writer.ts';
import { obeyedOptOuts, type OptOutRecipe } from './opt-outs.ts';

interface Params {
  extractor: Record<string, unknown>;
  /** Opt-outs that keep a page out. */
  obey: readonly string[];
  /** Captures of each source that are looked at, at most. */
  limit: number | null;
}

/** A run of rows of one captures file. */
interface Input {
  file: string;
  /** First and last row, counted from 0. */
  from: number;
  to: number;
  /** Captures in it whose URL was fetched again later, and by which capture. */
  superseded: Record<string, string>;
  /** With a limit: the last row of each source that counts. */
  until: Record<string, number> | null;
}

const PART_BYTES = 8 << 20;
const PART_CAPTURES = 500;
const LIMITS = { bytes: 64 << 20, ratio: 200 };
/** A capture of the last type counts as fetched only where its bytes begin as HTML does. */
const TEXT_TYPES = ['text/html', 'application/xhtml+xml', 'text/plain', 'application/octet-stream'];

/** Captured pages → documents with main text and metadata. A capture that gives none is a decision. */
export default defineStage<FilesRecipe & OptOutRecipe & { crawl?: unknown }, Params>({
  name: 'extract',
  version: 2,
  module: 'crawlers/stages/extract',
  inputs: ['crawl', 'index'],
  params(recipe) {
    const archives = (recipe.files ?? []).some((f) => listFiles(f).some((file) => file.type === 'warc'));
    if (!recipe.crawl && !archives) return null;
    return { extractor: extractorIdentity(), obey: obeyedOptOuts(recipe), limit: recipe.limit ?? null };
  },
  async tasks(inputs, params, lake) {
    const files = captureFiles(inputs);
    return files.length === 0 ? [] : split(lake, files, params.limit);
  },
  async run(task, params, context): Promise<Counts> {
    const input = task.input as Input;
    const writer = await documentWriter(context, 'extract', task.id);
    const counts = { documents: 0, dropped: 0 };
    const sql = `SELECT ${COLUMNS.join(', ')}, file_row_number AS row FROM read_parquet(${fileList([join(context.lake, input.file)])}, file_row_number = true)
      WHERE outcome = 'fetched' AND file_row_number BETWEEN ${input.from} AND ${input.to} ORDER BY file_row_number`;
    const rows = queryBatches(
      sql,
      [...COLUMNS, 'row'],
      [...COLUMNS.map((c) => captures.columns[c]), column('int', 'row')],
    );
    for await (const batch of rows as AsyncGenerator<(Page & { row: number })[]>) {
      for (const capture of batch) {
        if (input.until && capture.row > (input.until[capture.source] ?? -1)) continue;
        const outcome = await documentFrom(capture, input.superseded[capture.id], params.obey, context.lake);
        if ('document' in outcome) {
          await writer.document(outcome.document);
          counts.documents++;
        } else {
          writer.decision({ subject_id: capture.id, evidence: capture.url, ...outcome });
          counts.dropped++;
        }
        context.progress(capture.row - input.from + 1, input.to - input.from + 1, `${counts.documents} documents`);
      }
    }
    await writer.close();
    return counts;
  },
});

const COLUMNS = [
  'id',
  'source',
  'url',
  'status',
  'media_type',
  'charset',
  'warc_file',
  'warc_offset',
  'warc_length',
  'opt_outs',
  'licence',
] as const;
type Page = Pick<Capture, (typeof COLUMNS)[number]>;

interface Refusal {
  rule: string;
  verdict?: string;
  evidence?: string;
}

/** One capture → its document, or why there is none: not_html, superseded, unreadable records, opt-outs, no_text … */
async function documentFrom(
  c: Page,
  winner: string | undefined,
  obey: readonly string[],
  lake: string,
): Promise<{ document: Document } | Refusal> {
  if (!isTextType(c.media_type)) return { rule: 'not_html', evidence: c.media_type ?? 'no media type' };
  if (isRobotsTxt(c.url)) return { rule: 'robots_txt' };
  if (winner !== undefined) return { rule: 'superseded', evidence: winner };
  const stated = refusedBy(c.opt_outs, obey);
  if (stated) return { rule: `opt_out_${stated}`, verdict: 'refuse' };
  if (c.warc_file === null || c.warc_offset === null || c.warc_length === null) return { rule: 'no_record' };
  const file = isAbsolute(c.warc_file) ? c.warc_file : join(lake, c.warc_file);
  const record = await readCapture(file, c.warc_offset, c.warc_length, LIMITS);
  if (!record.ok) return { rule: record.reason === 'size' ? 'too_large' : record.reason };
  const charset = contentType(record.headers).charset ?? c.charset;
  const page = extract(record.body, { url: c.url, headers: record.headers, mediaType: c.media_type, charset });
  const refused = refusedBy(page.optOuts, obey);
  if (refused) return { rule: `opt_out_${refused}`, verdict: 'refuse' };
  if (page.reason) return { rule: page.reason };
  const fields = fieldsOf(page);
  const location = `${basename(c.warc_file)}:${c.warc_offset}`;
  return {
    document: {
      id: documentId(c.source, c.url),
      capture_id: c.id,
      source: c.source,
      url: c.url,
      ...fields,
      licence: fields.licence ?? c.licence,
      location,
    },
  };
}

const isTextType = (type: string | null): boolean => type === null || TEXT_TYPES.includes(type.toLowerCase());

const captureFiles = (inputs: Inputs): string[] =>
  ['crawl', 'index'].flatMap((stage) =>
    filesIn(only(inputs, stage), 'captures')
      .map((f) => f.path)
      .filter((path) => path.endsWith('.parquet')),
  );

/**
 * Captures in table order, cut after 500 of them or 8 MiB of WARC, never across two files. Of several captures of one URL
 * the last fetched is the one that counts.
 */
async function split(lake: string, files: readonly string[], limit: number | null): Promise<Task[]> {
  const paths = files.map((f) => join(lake, f));
  const text = `(media_type IS NULL OR lower(media_type) IN (${TEXT_TYPES.map(quote).join(', ')}))`;
  const sql = `
    WITH c AS (
      SELECT id, source, url, fetched_at, warc_length, ${text} AS readable, file_row_number AS row, list_position(${fileList(paths)}, filename) - 1 AS file
      FROM read_parquet(${fileList(paths)}, filename = true, file_row_number = true) WHERE outcome = 'fetched'),
    w AS (
      SELECT *, CASE WHEN readable THEN first_value(id) OVER (PARTITION BY source, url, readable ORDER BY fetched_at DESC NULLS LAST, file DESC, row DESC) ELSE id END AS winner FROM c),
    n AS (
      SELECT *, sum(CASE WHEN readable AND winner = id THEN 1 ELSE 0 END) OVER (PARTITION BY source ORDER BY file, row ROWS UNBOUNDED PRECEDING) AS nth FROM w)
    SELECT id, source, winner, file::BIGINT AS file, row::BIGINT AS row, coalesce(warc_length, 0)::BIGINT AS bytes FROM n
    ${limit === null ? '' : `WHERE nth <= ${limit}`} ORDER BY file, row`;
  const txt = (about: string) => column('text', about);
  const int = (about: string) => column('int', about);
  const batches = queryBatches(
    sql,
    ['id', 'source', 'winner', 'file', 'row', 'bytes'],
    [txt('id'), txt('source'), txt('winner'), int('file'), int('row'), int('bytes')],
  );
  const inputs: Input[] = [];
  let [open, count, bytes] = [-1, 0, 0];
  for await (const batch of batches as AsyncGenerator<
    { id: string; source: string; winner: string; file: number; row: number; bytes: number }[]
  >) {
    for (const c of batch) {
      if (c.file !== open || count >= PART_CAPTURES || bytes >= PART_BYTES) {
        inputs.push({
          file: files[c.file]!,
          from: c.row,
          to: c.row,
          superseded: {},
          until: limit === null ? null : {},
        });
        [open, count, bytes] = [c.file, 0, 0];
      }
      const input = inputs.at(-1)!;
      input.to = c.row;
      if (c.winner !== c.id) input.superseded[c.id] = c.winner;
      if (input.until) input.until[c.source] = c.row;
      count++;
      bytes += c.bytes;
    }
  }
  return inputs.map((input, i) => ({ id: `part-${String(i).padStart(5, '0')}`, input }));
}
