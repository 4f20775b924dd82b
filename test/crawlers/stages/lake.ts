import { join } from 'node:path';
import { readTable } from '../../../core/lake/parquet.ts';
import { decisions, documents, type Decision, type Document } from '../../../core/records/index.ts';
import { silent } from '../../../core/progress.ts';
import { readMarker, type Output } from '../../../core/stage/marker.ts';
import { inProcess, run, type AnyStage, type StageReport } from '../../../core/stage/index.ts';

async function collect<T>(batches: AsyncIterable<T[]>): Promise<T[]> {
  const all: T[] = [];
  for await (const batch of batches) all.push(...batch);
  return all;
}

/** Runs the stages on a lake and gives the rows of the last one. */
export async function runStages(
  lake: string,
  stages: AnyStage[],
  recipe: object,
): Promise<{ rows: Document[]; refused: Decision[]; report: StageReport; output: Output }> {
  const named = { name: 'test', ...recipe };
  const report = (await run({ lake, recipe: named, stages, executor: inProcess(), progress: silent })).at(-1)!;
  const output = readMarker(lake, report.stage, report.stage, report.units[0]!.key!)!;
  const files = (folder: string) => output.files.filter((f) => f.folder === folder).map((f) => join(lake, f.path));
  const rows = await collect(readTable(files('documents'), documents));
  const refused = await collect(readTable(files('decisions'), decisions));
  return { rows, refused, report, output };
}
