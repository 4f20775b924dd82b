import { existsSync, mkdirSync } from 'node:fs';
import { mkdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { explainSystemError } from '../errors.ts';
import { sync, writeAtomically } from '../files.ts';
import { sha256File, stableJson } from '../hash.ts';
import { outputFolder } from '../lake/layout.ts';
import { markerFolder, taskMarkerPath, type OutputFile, type TaskMarker } from './marker.ts';
import type { AnyStage, Counts, Inputs, Task, TaskContext } from './stage.ts';
import { temporaryFolder } from './temporary.ts';

/** Everything a process needs to run one task: plain data, so that it crosses a process border. */
export interface TaskOrder {
  lake: string;
  stage: string;
  module: string;
  task: Task;
  params: unknown;
  inputs: Inputs;
  /** Keys of the units that are still to be made. */
  keys: Record<string, string>;
}

export interface TaskReports {
  progress: (done: number, total: number | null, note?: string) => void;
  notice: (text: string) => void;
}

/** Runs one task: its files appear by rename when it has ended, and then its markers, one a unit. */
export async function runTask(stage: AnyStage, order: TaskOrder, reports: TaskReports): Promise<Counts> {
  const { lake, task } = order;
  const units = Object.keys(order.keys);
  const first = units[0]!;
  const temporary = temporaryFolder(lake, `${stage.name}-${order.keys[first]}-${task.id}`);
  const pendingFiles: { unit: string; folder: string; from: string | null; path: string }[] = [];
  const facts: Record<string, Record<string, unknown>> = {};
  const place = (folder: string, file: string, unit: string) =>
    join(outputFolder(folder, stage.name, unit, order.keys[unit]!), file);
  const unitOr = (unit: string | undefined) => {
    const name = unit ?? first;
    if (!(name in order.keys)) throw new Error(`${stage.name}: no pending unit "${name}"`);
    return name;
  };
  const scratch = join(lake, markerFolder(stage.name, first, order.keys[first]!), 'scratch', task.id);
  const context: TaskContext = {
    lake,
    pending: units,
    inputs: order.inputs,
    key: (unit) => order.keys[unitOr(unit)]!,
    file(folder, file, unit) {
      const from = join(temporary, `${pendingFiles.length}-${basename(file)}`);
      pendingFiles.push({ unit: unitOr(unit), folder, from, path: place(folder, file, unitOr(unit)) });
      return from;
    },
    folder(folder) {
      const path = join(lake, outputFolder(folder, stage.name, first, order.keys[first]!));
      mkdirSync(path, { recursive: true });
      return path;
    },
    keep: (folder, file, unit) =>
      void pendingFiles.push({ unit: unitOr(unit), folder, from: null, path: place(folder, file, unitOr(unit)) }),
    get scratch() {
      if (!existsSync(scratch)) mkdirSync(scratch, { recursive: true });
      return scratch;
    },
    progress: reports.progress,
    notice: reports.notice,
    facts: (more, unit) => void (facts[unitOr(unit)] = { ...facts[unitOr(unit)], ...more }),
  };
  try {
    await mkdir(temporary, { recursive: true });
    const counts = await stage.run(task, order.params, context);
    const files: { unit: string; file: OutputFile }[] = [];
    for (const { unit, folder, from, path } of pendingFiles) {
      const full = join(lake, path);
      await sync(from ?? full);
      const file = { folder, path, bytes: (await stat(from ?? full)).size, sha256: await sha256File(from ?? full) };
      if (from) {
        await mkdir(dirname(full), { recursive: true });
        await rename(from, full);
      }
      files.push({ unit, file });
    }
    for (const folder of new Set(files.map((f) => dirname(f.file.path)))) await sync(join(lake, folder));
    for (const unit of units) {
      const marker: TaskMarker = {
        files: files.filter((f) => f.unit === unit).map((f) => f.file),
        counts: unit === first ? counts : {},
        facts: facts[unit] ?? {},
      };
      await writeAtomically(
        taskMarkerPath(lake, stage.name, unit, order.keys[unit]!, task.id),
        `${stableJson(marker)}\n`,
      );
    }
    return counts;
  } catch (error) {
    throw explainSystemError(error);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}
