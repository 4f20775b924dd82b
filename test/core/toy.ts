import { writeFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { defineStage, only, type AnyStage } from '../../core/stage/index.ts';

export interface ToyRecipe {
  name: string;
  numbers: number;
  parts: number;
  factor: number;
  log?: (line: string) => void;
  fail?: () => void;
}

/** Numbers → parts of numbers → their multiples: a pipeline small enough to see every rule of the runner. */
export const toyStages = (): AnyStage[] => [
  defineStage<ToyRecipe, { numbers: number; parts: number }>({
    name: 'make',
    version: 1,
    module: 'none',
    inputs: [],
    params: (r) => ({ numbers: r.numbers, parts: r.parts }),
    tasks: (_, p) => Array.from({ length: p.parts }, (_v, i) => ({ id: `part-${i}`, input: i })),
    async run(task, p, io) {
      const mine = Array.from({ length: p.numbers }, (_v, n) => n).filter((n) => n % p.parts === task.input);
      await writeFile(io.file('documents', `${task.id}.txt`), mine.join('\n'));
      return { numbers: mine.length };
    },
  }),
  defineStage<ToyRecipe, { factors: number[] }>({
    name: 'multiply',
    version: 1,
    module: 'none',
    inputs: ['make'],
    params: (r) => ({ factors: [2, r.factor] }),
    units: (p) => p.factors.map((f) => ({ name: `by${f}`, version: 1, params: { f } })),
    tasks: (inputs) => only(inputs, 'make')!.files.map((f, i) => ({ id: `part-${i}`, input: f.path })),
    async run(task, _p, io) {
      const numbers = readFileSync(join(io.lake, task.input as string), 'utf8')
        .split('\n')
        .map(Number);
      for (const unit of io.pending)
        await writeFile(
          io.file('signals', `${task.id}.txt`, unit),
          numbers.map((n) => n * Number(unit.slice(2))).join('\n'),
        );
      return { numbers: numbers.length };
    },
  }),
];
