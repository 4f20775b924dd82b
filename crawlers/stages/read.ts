import { GarnerError } from '../../core/errors.ts';
import { keyOf } from '../../core/hash.ts';
import { defineStage, type Counts, type Task } from '../../core/stage/stage.ts';
import { listFiles, sourceName, type InputFile } from '../archives/files.ts';
import { readHtml } from '../archives/html.ts';
import { lineRanges, readJsonl, WHOLE, type LineRange } from '../archives/jsonl.ts';
import { ALL_ROWS, readParquet, rowRanges, type RowRange } from '../archives/parquet.ts';
import type { ColumnNames, FileRecord } from '../archives/record.ts';
import type { FilesRecipe, FileSource } from '../archives/recipe.ts';
import { extractorIdentity } from '../extract/identity.ts';
import { digestOf } from './digest.ts';
import { documentWriter } from './document-writer.ts';
import { obeyedOptOuts, type OptOutRecipe } from './opt-outs.ts';

/** A source as the stage sees it: where its files lie, which columns, and a digest of all of them. */
interface Source {
  name: string;
  from: FileSource;
  files: number;
  /** Names, sizes and contents of the files: another content is another output. */
  digest: string;
}

interface Params {
  sources: Source[];
  limit: number | null;
  /** Only where HTML is read. */
  html: { extractor: Record<string, unknown>; obey: readonly string[] } | null;
}

interface Piece {
  file: InputFile;
  lines?: LineRange;
  rows?: RowRange;
}

interface Input {
  source: string;
  columns: ColumnNames;
  pieces: Piece[];
}

/** About so many bytes of input make a task. */
const TASK_BYTES = 64 << 20;
const TASK_FILES = 1_000;

/**
 * Files of text → documents. A record that cannot be used is a decision with its place; a file that cannot be read to its
 * end (a truncated gzip, a damaged Parquet file) stops the run, since what is missing would be missing silently.
 * With a limit, each source is one task that ends after so many documents.
 */
export default defineStage<FilesRecipe & OptOutRecipe, Params>({
  name: 'read',
  version: 1,
  module: 'crawlers/stages/read',
  inputs: [],
  params(recipe) {
    const sources = (recipe.files ?? []).flatMap(describe);
    if (sources.length === 0) return null;
    const names = new Set<string>();
    for (const { name, from } of sources) {
      if (names.has(name))
        throw new GarnerError({
          what: `two sources are called "${name}"`,
          where: from.path,
          hint: 'give one of them another "name:"',
          fault: 2,
        });
      names.add(name);
    }
    const html = sources.some((s) => readable(s.from).some((f) => f.type === 'html'));
    return {
      sources,
      limit: recipe.limit ?? null,
      html: html ? { extractor: extractorIdentity(), obey: obeyedOptOuts(recipe) } : null,
    };
  },
  async tasks(_inputs, params) {
    const all: Input[] = [];
    for (const { name, from } of params.sources) {
      const columns: ColumnNames = { text: from.text, id: from.id, url: from.url };
      const pieces: Piece[] = [];
      for (const file of readable(from)) pieces.push(...(await cut(file, params.limit !== null)));
      if (params.limit !== null) all.push({ source: name, columns, pieces });
      else for (const group of grouped(pieces)) all.push({ source: name, columns, pieces: group });
    }
    return all.map((input, i): Task => ({ id: `part-${String(i).padStart(5, '0')}`, input }));
  },
  async run(task, params, context): Promise<Counts> {
    const { source, columns, pieces } = task.input as Input;
    const writer = await documentWriter(context, 'read', task.id);
    const counts = { documents: 0, dropped: 0 };
    const limit = params.limit ?? Infinity;
    const bytes = pieces.reduce((n, p) => n + p.file.bytes, 0);
    let done = 0;
    for (const piece of pieces) {
      if (counts.documents >= limit) break;
      for await (const record of records(piece, columns, source, params)) {
        if ('document' in record) {
          await writer.document(record.document);
          counts.documents++;
        } else {
          const { id, reason, location, evidence } = record;
          writer.decision({
            subject_id: id,
            rule: reason,
            evidence: evidence ? `${location}: ${evidence}` : location,
            verdict: reason.startsWith('opt_out_') ? 'refuse' : 'drop',
          });
          counts.dropped++;
        }
        if (counts.documents >= limit) break;
        if (counts.documents % 200 === 0) context.progress(done, bytes, `${counts.documents} documents`);
      }
      done += piece.file.bytes;
      context.progress(done, bytes, `${counts.documents} documents`);
    }
    await writer.close();
    return counts;
  },
});

const readable = (from: FileSource): InputFile[] => listFiles(from).filter((f) => f.type !== 'warc');

function describe(from: FileSource): Source[] {
  const files = readable(from);
  if (files.length === 0) return [];
  const digest = keyOf(files.map((f) => [f.name, f.type, f.bytes, digestOf(f.path)]));
  return [{ name: sourceName(from), from, files: files.length, digest }];
}

async function cut(file: InputFile, whole: boolean): Promise<Piece[]> {
  if (whole || file.type === 'html') return [{ file }];
  if (file.type === 'jsonl') return (await lineRanges(file, TASK_BYTES)).map((lines) => ({ file, lines }));
  return (await rowRanges(file, TASK_BYTES)).map((rows) => ({ file, rows }));
}

/** Small files share a task; a piece of a large one has its own. */
function grouped(pieces: readonly Piece[]): Piece[][] {
  const groups: Piece[][] = [];
  let size = Infinity;
  for (const piece of pieces) {
    const own = Math.min(piece.file.bytes, TASK_BYTES);
    const group = groups.at(-1);
    if (!group || size + own > TASK_BYTES || group.length >= TASK_FILES) {
      groups.push([piece]);
      size = own;
    } else {
      group.push(piece);
      size += own;
    }
  }
  return groups;
}

async function* records(
  { file, lines, rows }: Piece,
  columns: ColumnNames,
  source: string,
  params: Params,
): AsyncGenerator<FileRecord> {
  if (file.type === 'jsonl') yield* readJsonl(file, columns, source, lines ?? WHOLE);
  else if (file.type === 'parquet') yield* readParquet(file, columns, source, rows ?? ALL_ROWS);
  else yield await readHtml(file, source, params.html?.obey ?? []);
}
