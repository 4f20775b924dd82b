import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** No judgement is longer as a line [bytes]: four answers of megabytes fit, and DuckDB reads it without a buffer of a gigabyte. */
export const LONGEST_JUDGEMENT = 16 << 20;

/** Whether a line that was read is longer again when it is written: each byte that is no UTF-8 becomes three. */
export const isTooLong = (text: string): boolean => Buffer.byteLength(text) > LONGEST_JUDGEMENT;

/** Where people's judgements lie: beside what stages make, with a lock of its own, since people judge while a run holds the lake. */
export const judgementsFolder = (lake: string): string => join(lake, 'judgements');

/** The journal: one JSON line a judgement, synced before the page hears that it is stored. */
export const journalPath = (lake: string): string => join(judgementsFolder(lake), 'journal.jsonl');

/** Compacted judgements, the oldest first. A line may stand in the journal too, where a compaction was killed. */
export function judgementParts(lake: string): string[] {
  const folder = judgementsFolder(lake);
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => /^part-\d+\.parquet$/.test(name))
    .toSorted()
    .map((name) => join(folder, name));
}
