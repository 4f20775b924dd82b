import { basename, join } from 'node:path';
import { documents, texts, type Document } from '../records/index.ts';
import { only, type Inputs } from '../stage/stage.ts';
import type { Output } from '../stage/marker.ts';
import { fileList } from './duckdb.ts';
import { queryBatches, readTable } from './parquet.ts';

/** Stages whose output has documents, in the order in which their parts are counted. */
const DOCUMENT_STAGES = ['read', 'extract'] as const;

/** One file of documents. Stages that go through documents have one task a part, and name their own files `<id>.parquet`. */
export interface Part {
  /** Unique over all sources: the stage and the file's own name, e.g. `extract-part-00000`. */
  id: string;
  /** Path of the documents from the lake's root. */
  path: string;
  bytes: number;
}

/** The parts of all documents of a recipe, always in the same order. */
export function documentParts(inputs: Inputs): Part[] {
  return DOCUMENT_STAGES.flatMap((stage) =>
    (only(inputs, stage)?.files ?? [])
      .filter((f) => f.folder === 'documents')
      .map((f) => ({ id: `${stage}-${basename(f.path, '.parquet')}`, path: f.path, bytes: f.bytes })),
  );
}

/** The file that a later stage made from a part (`<id>.parquet` in one of its folders), absolute, or null. */
export function partFile(lake: string, output: Output | undefined, folder: string, part: string): string | null {
  const found = output?.files.find((f) => f.folder === folder && basename(f.path) === `${part}.parquet`);
  return found ? join(lake, found.path) : null;
}

/** The extracted documents of a part, in file order, in batches. */
export const readDocuments = <K extends keyof Document>(
  lake: string,
  part: Part,
  columns?: readonly K[],
): AsyncGenerator<Pick<Document, K>[]> => readTable([join(lake, part.path)], documents, columns ? { columns } : {});

/** The same with the edited text, title, author and metadata (masked, cut) where the stage `mask` made them: what everything after the filters sees. */
export async function* readEditedDocuments<K extends keyof Document>(
  lake: string,
  part: Part,
  inputs: Inputs,
  columns: readonly K[],
): AsyncGenerator<Pick<Document, K>[]> {
  const edited = partFile(lake, only(inputs, 'mask'), 'texts', part.id);
  if (edited === null) {
    yield* readDocuments(lake, part, columns);
    return;
  }
  const select = columns.map((c) => (isEdited(c) ? `coalesce(t."${c}", d."${c}") AS "${c}"` : `d."${c}"`)).join(', ');
  const sql = `SELECT ${select} FROM (SELECT *, file_row_number FROM read_parquet(${fileList([join(lake, part.path)])}, file_row_number = true)) d
    LEFT JOIN read_parquet(${fileList([edited])}) t ON t.document_id = d.id ORDER BY d.file_row_number`;
  yield* queryBatches(
    sql,
    columns,
    columns.map((c) => documents.columns[c]),
  ) as AsyncGenerator<Pick<Document, K>[]>;
}

/** Columns in which personal data is masked. */
const isEdited = (name: string): boolean => name in texts.columns;
