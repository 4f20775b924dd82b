import { writeTable, type TableWriter } from '../../core/lake/parquet.ts';
import { decisions, documents, type Decision, type Document } from '../../core/records/index.ts';
import type { TaskContext } from '../../core/stage/stage.ts';

/** A part file ends with the row group, or here. */
const PART_ROWS = 20_480;
const PART_TEXT = 64 << 20;

export interface DocumentWriter {
  document(row: Document): Promise<void>;
  /** A record that gives no document. */
  decision(row: Pick<Decision, 'subject_id' | 'rule' | 'evidence'> & { verdict?: string }): void;
  close(): Promise<void>;
}

/**
 * Writes a task's documents and decisions. Documents are cut into part files of 20,480 rows or 64 MiB of text:
 * `<task>.parquet`, `<task>-001.parquet` …; a task without documents writes a file without rows.
 */
export async function documentWriter(context: TaskContext, stage: string, task: string): Promise<DocumentWriter> {
  let parts = 0;
  let text = 0;
  const next = () => {
    const name = parts === 0 ? task : `${task}-${String(parts).padStart(3, '0')}`;
    parts++;
    text = 0;
    return writeTable(context.file('documents', `${name}.parquet`), documents);
  };
  let part: TableWriter<typeof documents> = await next();
  const refused = await writeTable(context.file('decisions', `${task}.parquet`), decisions);
  return {
    async document(row) {
      if (part.rows >= PART_ROWS || text >= PART_TEXT) {
        await part.close();
        part = await next();
      }
      part.append(row);
      text += row.text.length;
    },
    decision({ subject_id, rule, evidence, verdict = 'drop' }) {
      const quote = evidence === null ? null : evidence.slice(0, 120).toWellFormed();
      refused.append({
        subject_id,
        stage,
        rule,
        filter: null,
        signal: null,
        value: null,
        label: null,
        threshold: null,
        verdict,
        evidence: quote,
      });
    },
    async close() {
      await part.close();
      await refused.close();
    },
  };
}
