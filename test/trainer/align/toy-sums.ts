import { fork } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { sumBase } from '../../../bench/cases/align/base.ts';
import { sha256 } from '../../../core/hash.ts';
import { readTable } from '../../../core/lake/parquet.ts';
import { steps as stepsTable, type Step, type Table, type Row } from '../../../core/records/index.ts';
import { packageRoot } from '../../../core/root.ts';
import type { Inputs } from '../../../core/stage/index.ts';
import { madeSums } from '../../../trainer/align/sums.ts';

/** A model with some ten thousand weights that has begun to answer sums with numbers, most of them wrong. */
export const toySums = (folder: string) => sumBase(folder, { width: 32, layers: 2, rows: 8, most: 90, threads: 1 });

/** What is said of a small run; the format of an answer is soon learned, and its length varies. */
export const TOY = {
  rewards: [{ name: 'sum' }, { name: 'format', weight: 0.5 }, { name: 'length', most: 2, weight: 0.2 }],
  batch: 4,
  answers: 4,
  tokens: 6,
  epochs: 2,
  parts: 2,
  steps: 4,
  selection: { every: 2, prompts: 8, answers: 2 },
  threads: 1,
};

/** A lake whose finished fine-tuning is a checkpoint elsewhere. */
export function inputsFrom(lake: string, checkpoint: string): Inputs {
  const one = { stage: 'finetune', unit: 'finetune', key: 'toy', identity: 'toy', version: 1, params: null };
  const facts = { checkpoint: relative(lake, checkpoint) };
  return { finetune: [{ ...one, inputs: [], files: [], counts: {}, facts }] };
}

/** Writes a lake with an order for a stage, over sums of which each third comes without its answer; `runOrder` runs it. */
export function lakeWithOrder(lake: string, stage: 'grpo' | 'ppo', params: object, checkpoint: string): string {
  mkdirSync(lake, { recursive: true });
  const prompts = join(lake, 'prompts.jsonl');
  const lines = madeSums('test')
    .slice(0, 60)
    .map(({ id, turns, reference }, i) => ({ id, messages: turns, ...(i % 3 > 0 && { answer: reference }) }))
    .map((line) => `${JSON.stringify(line)}\n`);
  writeFileSync(prompts, lines.join(''));
  const order = {
    lake,
    stage,
    module: `trainer/stages/${stage}`,
    task: { id: 'train', input: null },
    params: { ...params, prompts: { path: prompts, sha256: sha256(lines.join('')) } },
    inputs: inputsFrom(lake, checkpoint),
    keys: { [stage]: 'key' },
  };
  writeFileSync(join(lake, 'order.json'), JSON.stringify(order));
  return lake;
}

export type Moment = ['step' | 'write' | 'rename' | 'after', number];

/** Runs the order in a process that kills itself at a moment, counted from its own start; how it ended. */
export const runOrder = (lake: string, kill?: Moment): Promise<string> =>
  new Promise((resolve) => {
    const script = join(packageRoot, 'test/trainer/stages/run-task.mjs');
    const where = [join(packageRoot, 'dist'), join(lake, 'order.json')];
    const child = fork(script, [...where, ...(kill ?? []).map(String)], { execArgv: [] });
    child.on('exit', (code, signal) => resolve(signal ?? `exit ${code}`));
  });

/** Everything that counts: all files of the run, and its tables, but timings. */
export function outputs(lake: string): Record<string, string> {
  const files = ['runs', 'rollouts', 'metrics', 'stages'].flatMap((folder) =>
    readdirSync(join(lake, folder), { recursive: true, withFileTypes: true })
      .filter((e) => e.isFile() && e.name !== 'timing.jsonl' && !e.parentPath.includes('scratch'))
      .map((e) => join(e.parentPath, e.name)),
  );
  return Object.fromEntries(files.toSorted().map((f) => [f.slice(lake.length), readFileSync(f).toString('base64')]));
}

/** The rows of a table of a run. */
export async function rowsOf<T extends Table>(path: string, table: T): Promise<Row<T>[]> {
  const rows: Row<T>[] = [];
  for await (const batch of readTable([path], table)) rows.push(...(batch as unknown as Row<T>[]));
  return rows;
}

export const stepsOf = (lake: string): Promise<Step[]> => rowsOf(join(lake, 'runs/key/steps.parquet'), stepsTable);
