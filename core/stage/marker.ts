import { existsSync, readFileSync } from 'node:fs';
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

export const markerPath = (lake: string, stage: string, unit: string, key: string): string =>
  join(lake, markerFolder(stage, unit, key), 'done.json');

export const taskMarkerPath = (lake: string, stage: string, unit: string, key: string, task: string): string =>
  join(lake, markerFolder(stage, unit, key), 'tasks', `${task}.json`);

/** The marker of a finished output, or null. */
export function readMarker(lake: string, stage: string, unit: string, key: string): Output | null {
  const path = markerPath(lake, stage, unit, key);
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Output) : null;
}

/** The marker of a finished task, or null. */
export function readTaskMarker(
  lake: string,
  stage: string,
  unit: string,
  key: string,
  task: string,
): TaskMarker | null {
  const path = taskMarkerPath(lake, stage, unit, key, task);
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as TaskMarker) : null;
}
