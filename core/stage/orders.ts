import { createReadStream, existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { explainSystemError, GarnerError } from '../errors.ts';
import { inside, writeAtomically } from '../files.ts';
import { keyOf } from '../hash.ts';
import { packageRoot } from '../root.ts';
import type { Inputs, Task } from './stage.ts';
import type { TaskOrder } from './task.ts';

/** Raised when older task lists cannot be run any more. */
const FORMAT = 1;

/** What all tasks of a stage share: the first line of a task list. */
export interface ListHead {
  format: number;
  stage: string;
  /** Path of the stage's compiled module, from garner's root, without extension. */
  module: string;
  params: unknown;
  inputs: Inputs;
  /** Keys of the units that were still to be made, by unit. */
  keys: Record<string, string>;
  /** How many lines follow, one a task. */
  tasks: number;
}

/** A task list as it stands in the lake. */
export interface TaskList {
  /** Its path from the lake's root: `orders/<stage>/<key>/<digest>.jsonl`. */
  path: string;
  head: ListHead;
  /** All tasks of the stage; a task's index is its place here, counted from 0. */
  tasks: readonly Task[];
}

/** Where the task lists of a stage lie, from the lake's root; `key` is that of its first unit. */
export const ordersFolder = (stage: string, key: string): string => join('orders', stage, key);

/**
 * Writes the tasks of a stage for another engine: JSON lines, the head first, then `{"id", "input"}` a task, the id first
 * so that a shell can find it. The file's name holds its digest: it is written once and never changes, so that an engine
 * may read it at any time, and the same stage gives the same list again. Members keep their order: a stage may write it.
 */
export async function writeTaskList(
  lake: string,
  head: Omit<ListHead, 'format' | 'tasks'>,
  tasks: readonly Task[],
): Promise<TaskList> {
  const whole: ListHead = { ...head, format: FORMAT, tasks: tasks.length };
  const lines = tasks.map(({ id, input }) => JSON.stringify({ id, input }));
  const text = `${[JSON.stringify(whole), ...lines].join('\n')}\n`;
  const key = Object.values(head.keys)[0]!;
  const path = join(ordersFolder(head.stage, key), `${keyOf(text)}.jsonl`);
  if (!existsSync(join(lake, path))) await writeAtomically(join(lake, path), text);
  return { path, head: whole, tasks };
}

/**
 * The order of one task of a list, by its index from 0; `lake` (absolute) is found above the list where it is not given,
 * so that a lake mounted elsewhere works. Throws a GarnerError (code 2) for what is no task list or has no such task.
 */
export async function readTaskOrder(list: string, index: number, lake: string = lakeAbove(list)): Promise<TaskOrder> {
  const bad = (what: string) =>
    new GarnerError({
      what,
      where: list,
      hint: 'name a task list that garner wrote under orders/ in a lake',
      fault: 2,
    });
  let head: ListHead | undefined;
  let at = -1;
  const stream = createReadStream(list);
  try {
    for await (const line of createInterface({ input: stream, crlfDelay: Infinity })) {
      if (head === undefined) head = parse<ListHead>(line) ?? undefined;
      if (head === undefined || typeof head.module !== 'string' || typeof head.keys !== 'object' || head.keys === null)
        throw bad('this is no task list');
      if (head.format !== FORMAT) throw bad(`the task list has format ${head.format}, this garner reads ${FORMAT}`);
      if (index >= head.tasks) throw bad(`there is no task ${index}: the list has ${head.tasks}, counted from 0`);
      if (at++ < index) continue;
      const task = parse<Task>(line);
      if (typeof task?.id !== 'string') throw bad(`line ${index + 2} holds no task`);
      const { stage, module, params, inputs, keys } = head;
      inside(packageRoot, module);
      return { lake, stage, module, task, params, inputs, keys };
    }
  } catch (error) {
    throw explainSystemError(error, list);
  } finally {
    stream.destroy();
  }
  throw bad(head === undefined ? 'this is no task list' : `the task list ends before task ${index}`);
}

function parse<T>(line: string): T | null {
  try {
    return JSON.parse(line) as T | null;
  } catch {
    return null;
  }
}

/** The lake that a file lies in: the nearest folder above it with a lake.json. */
function lakeAbove(path: string): string {
  for (let folder = dirname(resolve(path)); ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'lake.json'))) return folder;
    if (folder === dirname(folder))
      throw new GarnerError({
        what: 'the file lies in no lake',
        where: path,
        hint: 'name a task list under orders/ in a lake',
        fault: 2,
      });
  }
}
