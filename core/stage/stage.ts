import type { Output, OutputFile } from './marker.ts';

/** What a task did, in whole numbers: `documents`, `kept`, `bytes` … Summed over tasks; no timings here. */
export type Counts = Record<string, number>;

/** A piece of a stage's input. Split by bytes or records of the input, never by the number of workers. */
export interface Task {
  /** Names the task's output files; unique in its stage and safe in a path, e.g. `part-00000`. */
  id: string;
  /** What the task needs to know beside the stage's parameters: JSON. */
  input: unknown;
}

/** Part of a stage with a key of its own, so that it is recomputed alone: one filter of `measure`. */
export interface Unit {
  name: string;
  version: number;
  params: unknown;
}

/** Finished outputs of the stages a stage reads, by stage name; one for a stage without units; empty where the recipe has none. */
export type Inputs = Record<string, readonly Output[]>;

/** How a task speaks to the world: everything it writes goes through here and counts only when the task has ended. */
export interface TaskContext {
  /** The lake's folder (absolute). */
  lake: string;
  /** The units of this stage that are still to be made (the stage's own name where it has none). */
  pending: readonly string[];
  /** The stage's key, or a unit's. */
  key(unit?: string): string;
  inputs: Inputs;
  /** A temporary path for an output file; renamed to `<folder>/<file>` when the task ends. */
  file(folder: string, file: string, unit?: string): string;
  /** A folder of the lake that outlives a kill, for a task that resumes by itself (a crawl, a training). Files in it count once kept. */
  folder(folder: string): string;
  /** Counts a finished file of such a folder as output. */
  keep(folder: string, file: string, unit?: string): void;
  /** Scratch that outlives a kill and goes when the stage is done. */
  scratch: string;
  /** Tells the progress display how far the task is. */
  progress: (done: number, total: number | null, note?: string) => void;
  /** A line for the person at the terminal. */
  notice: (text: string) => void;
  /** Small facts for later stages (vocabulary, digest …): JSON in the marker, the same bytes each time. */
  facts(facts: Record<string, unknown>, unit?: string): void;
}

/** A step from files to files. `R` is the part of the recipe it reads, `P` exactly what it depends on. */
export interface Stage<R = unknown, P = unknown> {
  name: string;
  /** Raised when the same input would give other output. */
  version: number;
  /** Path of the module whose `default` export this stage is, from the root, without extension: where a child process finds it. */
  module: string;
  /** Stages whose outputs it reads. */
  inputs: readonly string[];
  /** Null where the recipe does not ask for this stage. */
  params(recipe: R): P | null;
  units?(params: P): readonly Unit[];
  /** The content of the output, not the key, names it for later stages: for what the outside world decides (a crawl). */
  identity?: 'content';
  /** Where a task is a training: processes over which it is spread, and threads of each. */
  ranks?(params: P): { ranks: number; threads: number };
  /** `lake` is the lake's folder (absolute), for a stage that looks into its inputs to split them. */
  tasks(inputs: Inputs, params: P, lake: string): readonly Task[] | Promise<readonly Task[]>;
  /** Pure but for its files. A bad record is a decision; a thrown error fails the task, which is tried once more. */
  run(task: Task, params: P, context: TaskContext): Promise<Counts>;
}

export type AnyStage = Stage;

/** Checks the types of a stage where it is written and forgets them where stages stand in one list. */
export const defineStage = <R, P>(stage: Stage<R, P>): AnyStage => stage as unknown as AnyStage;

/** The files of an output that lie in one folder of the lake (`documents`, `decisions` …), in task order. */
export const filesIn = (output: Output | undefined, folder: string): OutputFile[] =>
  output?.files.filter((f) => f.folder === folder) ?? [];

/** The only output of a stage without units, or undefined where the recipe does not have that stage. */
export const only = (inputs: Inputs, stage: string): Output | undefined => inputs[stage]?.[0];
