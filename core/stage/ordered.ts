import { readdirSync, rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { AGAIN, GarnerError, type ErrorParts } from '../errors.ts';
import { writeAtomically } from '../files.ts';
import { nodeName, ownTag } from '../machine.ts';
import { compiledModule } from '../root.ts';
import { unitKey, unitsOf } from './key.ts';
import { ordersFolder } from './orders.ts';
import type { AnyStage, Counts } from './stage.ts';
import { runTask, type TaskOrder, type TaskReports } from './task.ts';
import { pendingKeys } from './tasks.ts';

/** What a task on another host left behind when it failed; gone once it has succeeded. */
export interface FailureNote extends ErrorParts {
  /** True where trying again would give the same. */
  final: boolean;
  host: string;
  time: string;
}

/** Where the note of a failed task lies, from the lake's root; `key` is that of the stage's first unit. */
export const failurePath = (stage: string, key: string, task: string): string =>
  join(ordersFolder(stage, key), 'failed', `${task}.json`);

/**
 * Runs one task of a task list, for an engine that starts it on any host: takes no lock, writes nothing that another task
 * writes. Resolves to its counts, or null where it was done already. Throws a GarnerError (code 2) where this garner would
 * give the output another name: another version, another machine's libraries.
 */
export async function runOrdered(order: TaskOrder, reports: TaskReports): Promise<Counts | null> {
  const { lake, task } = order;
  const { default: stage } = (await import(pathToFileURL(compiledModule(order.module)).href)) as { default: AnyStage };
  const note = join(lake, failurePath(order.stage, Object.values(order.keys)[0]!, task.id));
  checkKeys(stage, order);
  const keys = pendingKeys(lake, stage, order.keys, task.id);
  if (Object.keys(keys).length === 0) return null;
  try {
    const counts = await runTask(stage, { ...order, keys }, reports);
    await rm(note, { force: true });
    return counts;
  } catch (error) {
    const { message } = error as Error;
    const known = error instanceof GarnerError ? error : null;
    if (known?.fault === AGAIN) throw error;
    await noteFailure(order, {
      what: known?.where ? message.slice(known.where.length + 2) : message,
      where: known?.where,
      hint: known?.hint,
      fault: known?.fault ?? 1,
      final: known !== null,
    });
    throw error;
  }
}

/** Leaves a note of why a task ended, for the coordinator and for "garner status". */
export async function noteFailure(
  { lake, stage, keys, task }: TaskOrder,
  parts: Omit<FailureNote, 'host' | 'time'>,
): Promise<void> {
  const note: FailureNote = { ...parts, host: nodeName, time: new Date().toISOString() };
  const path = failurePath(stage, Object.values(keys)[0]!, task.id);
  await writeAtomically(join(lake, path), `${JSON.stringify(note)}\n`);
}

/** The coordinator and this process must mean the same output: the same code, parameters and libraries. */
function checkKeys(stage: AnyStage, { params, inputs, keys, stage: name }: TaskOrder): void {
  const own = new Map(unitsOf(stage, params).map((unit) => [unit.name, unitKey(stage, unit, inputs)]));
  for (const [unit, key] of Object.entries(keys)) {
    if (stage.name === name && own.get(unit) === key) continue;
    throw new GarnerError({
      what: `the task list asks for the output ${key}, this garner would make ${own.get(unit) ?? 'none'}`,
      where: name,
      hint: 'the list was written by another version of garner, of Node or of a library: use the same on every host',
      fault: 2,
    });
  }
}

/** Removes this process's own unfinished files at once: for a process that is about to end without waiting for its task. */
export function dropOwnTemporary(lake: string): void {
  const folder = join(lake, '.tmp');
  for (const name of readdirSync(folder))
    if (name.startsWith(`${ownTag}-`)) rmSync(join(folder, name), { recursive: true, force: true });
}
