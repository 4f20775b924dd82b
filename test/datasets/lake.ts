import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { onTestFinished } from 'vitest';
import { openLake } from '../../core/lake/lake.ts';
import { readTable, writeTable } from '../../core/lake/parquet.ts';
import { silent } from '../../core/progress.ts';
import {
  decisions,
  documents,
  texts,
  type Decision,
  type Document,
  type Row,
  type Table,
} from '../../core/records/index.ts';
import { defineStage, inProcess, run, type AnyStage, type StageReport } from '../../core/stage/index.ts';

export interface MadeDocument {
  id: string;
  text: string;
  source?: string;
  url?: string;
  language?: string;
  licence?: string;
}

const row = ({ id, text, source = 'made', url, language, licence }: MadeDocument): Document => ({
  id,
  capture_id: null,
  source,
  url: url ?? null,
  text,
  title: null,
  author: null,
  published: null,
  language: language ?? null,
  licence: licence ?? null,
  metadata: {},
  location: 'made',
});

/** Stages that stand in for everything before dedup: documents in parts, verdicts of judge, edited texts. */
export interface Before {
  parts: readonly (readonly MadeDocument[])[];
  dropped?: readonly string[];
  edited?: Record<string, string>;
}

/** `read`, `judge` and `mask` with fixed output. */
export function stagesBefore({ parts, dropped = [], edited = {} }: Before): AnyStage[] {
  const tasks = () => parts.map((_, i) => ({ id: `part-${String(i).padStart(5, '0')}`, input: i }));
  const write = async <T extends Table>(path: string, table: T, rows: readonly Row<T>[]) => {
    const writer = await writeTable(path, table);
    for (const r of rows) writer.append(r);
    await writer.close();
    return { rows: rows.length };
  };
  const dropOf = (id: string): Decision => ({
    subject_id: id,
    stage: 'judge',
    rule: 'made',
    filter: null,
    signal: null,
    value: null,
    label: null,
    threshold: null,
    verdict: 'drop',
    evidence: null,
  });
  return [
    defineStage({
      name: 'read',
      version: 1,
      module: 'none',
      inputs: [],
      params: () => ({ parts }),
      tasks,
      run: (task, _p, io) =>
        write(io.file('documents', `${task.id}.parquet`), documents, parts[task.input as number]!.map(row)),
    }),
    defineStage({
      name: 'judge',
      version: 1,
      module: 'none',
      inputs: ['read'],
      params: () => ({ dropped }),
      tasks,
      run: (task, _p, io) =>
        write(
          io.file('decisions', `read-${task.id}.parquet`),
          decisions,
          parts[task.input as number]!.filter((d) => dropped.includes(d.id)).map((d) => dropOf(d.id)),
        ),
    }),
    defineStage({
      name: 'mask',
      version: 1,
      module: 'none',
      inputs: ['read'],
      params: () => ({ edited }),
      tasks,
      run: (task, _p, io) =>
        write(
          io.file('texts', `read-${task.id}.parquet`),
          texts,
          parts[task.input as number]!.flatMap((d) =>
            edited[d.id] === undefined
              ? []
              : [{ document_id: d.id, text: edited[d.id]!, title: null, author: null, metadata: null }],
          ),
        ),
    }),
  ];
}

/** A new lake in a temporary folder that goes when the test ends. */
export async function temporaryLake(): Promise<string> {
  const lake = await openLake(mkdtempSync(join(tmpdir(), 'garner-datasets-')));
  onTestFinished(() => rmSync(lake, { recursive: true, force: true }));
  return lake;
}

/** Runs stages in this process. */
export const runStages = (
  lake: string,
  stages: readonly AnyStage[],
  recipe: Record<string, unknown>,
): Promise<StageReport[]> =>
  run({ lake, recipe: { name: 'made', ...recipe }, stages, executor: inProcess(), progress: silent, attempts: 1 });

/** All rows of a table's files below a folder of the lake. */
export async function rowsIn<T extends Table>(lake: string, folder: string, table: T): Promise<Row<T>[]> {
  const rows: Row<T>[] = [];
  for await (const batch of readTable(filesBelow(lake, folder), table)) rows.push(...(batch as Row<T>[]));
  return rows;
}

/** Parquet files below a folder of the lake, sorted. */
export const filesBelow = (lake: string, folder: string): string[] =>
  (existsSync(join(lake, folder)) ? readdirSync(join(lake, folder), { recursive: true, encoding: 'utf8' }) : [])
    .filter((f) => f.endsWith('.parquet'))
    .toSorted()
    .map((f) => join(lake, folder, f));

/** JSON lines of a gzip file. */
export const jsonLines = <T>(path: string): T[] =>
  gunzipSync(readFileSync(path))
    .toString('utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as T);

/** Pseudo-random whole numbers below `n`, from a seed. */
export function dice(seed: number): (n: number) => number {
  let state = seed >>> 0;
  return (n) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % n;
  };
}

/** A text of made words. */
export const madeText = (seed: number, words: number): string => {
  const roll = dice(seed);
  return Array.from({ length: words }, () => `w${roll(5000)}`).join(' ');
};
