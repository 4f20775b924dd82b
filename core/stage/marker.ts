import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** A finished file of the lake. */
export interface OutputFile {
  /** Logical folder: documents, decisions, captures … */
  folder: string;
  /** Path from the lake's root. */
  path: string;
  bytes: number;
  sha256: string;
}

/** What a stage (or one unit of it) made; stored as its marker, and only written when every file is whole. */
export interface Output {
  stage: string;
  unit: string;
  key: string;
  /** What names this output for later stages: the key, or a digest of the files where the stage says so. */
  identity: string;
  version: number;
  params: unknown;
  inputs: { stage: string; unit: string; identity: string }[];
  files: OutputFile[];
  counts: Record<string, number>;
  facts: Record<string, unknown>;
}

export interface TaskMarker {
  files: OutputFile[];
  counts: Record<string, number>;
  facts: Record<string, unknown>;
}

/** `stages/<stage>[.<unit>]/<key>`: where the markers of one output lie, from the lake's root. */
export const markerFolder = (stage: string, unit: string, key: string): string =>
  join('stages', unit === stage ? stage : `${stage}.${unit}`, key);

/** The marker of a finished output. */
export const markerPath = (lake: string, stage: string, unit: string, key: string): string =>
  join(lake, markerFolder(stage, unit, key), 'done.json');

/** The marker of a finished task. */
export const taskMarkerPath = (lake: string, stage: string, unit: string, key: string, task: string): string =>
  join(lake, markerFolder(stage, unit, key), 'tasks', `${task}.json`);

/** A marker's content; null where it is absent or, after a power loss, no whole JSON object with a list of files. */
function read<M extends TaskMarker>(path: string): M | null {
  try {
    const marker = JSON.parse(readFileSync(path, 'utf8')) as M | null;
    return Array.isArray(marker?.files) ? marker : null;
  } catch {
    return null;
  }
}

/** The same by the path of its file. */
export const readMarkerFile = (path: string): Output | null => read<Output>(path);

/** The marker of a finished output, or null. */
export const readMarker = (lake: string, stage: string, unit: string, key: string): Output | null =>
  readMarkerFile(markerPath(lake, stage, unit, key));

/** The marker of a finished task, or null. */
export const readTaskMarker = (
  lake: string,
  stage: string,
  unit: string,
  key: string,
  task: string,
): TaskMarker | null => read<TaskMarker>(taskMarkerPath(lake, stage, unit, key, task));

/** What is wrong with the first file of a marker that is gone or has another size, in words; null where all stand as they were written. */
export function damage(lake: string, marker: TaskMarker): string | null {
  for (const file of marker.files) {
    const size = statSync(join(lake, file.path), { throwIfNoEntry: false })?.size;
    if (size === undefined) return `${file.path} is missing`;
    if (size !== file.bytes) return `${file.path} has ${size} bytes, it was written with ${file.bytes}`;
  }
  return null;
}
