import { appendFileSync, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { readPrompts } from '../../cli/ranking.ts';
import { startSampling, type SamplingPlan } from '../../studio/rank/sampling.ts';
import type { Task } from '../../studio/rank/tasks.ts';
import { toyModel } from '../trainer/toy-model.ts';
import { temporaryLake } from './made.ts';

const prompts = Array.from({ length: 4 }, (_, i) => ({ id: `p${i}`, prompt: [{ role: 'user', content: `say ${i}` }] }));

async function planFor(lake: string): Promise<SamplingPlan> {
  const models = await Promise.all(
    ['one', 'two'].map(async (run) => {
      const path = join(lake, run);
      await toyModel(path);
      return { run, checkpoint: `runs/${run}`, path };
    }),
  );
  const choice = { tokens: 12, temperature: 1, topK: 0, topP: 1, seed: 5 };
  return { models, prompts, candidates: 3, choice };
}

/** Samples until so many tasks came, or all that was allowed. */
async function sample(lake: string, plan: SamplingPlan, allow: number, until: number) {
  const tasks: Task[] = [];
  const sampling = startSampling(lake, plan, (task) => tasks.push(task));
  onTestFinished(() => sampling.close());
  sampling.allow(allow);
  for (let tries = 0; tries < 1000 && tasks.length < until && sampling.state().left > 0; tries++)
    await new Promise((resolve) => setTimeout(resolve, 20));
  return { tasks, sampling };
}

test('answers are sampled in the background, no further than allowed, the same for the same seed, and kept', async () => {
  const lake = await temporaryLake();
  const plan = await planFor(lake);
  const first = await sample(lake, plan, 2, 2);
  expect(first.tasks.map((t) => t.prompt_id)).toEqual(['p0', 'p1']);
  const [a] = first.tasks;
  expect(a!.candidates.map((c) => [c.run, c.checkpoint])).toEqual([
    ['one', 'runs/one'],
    ['two', 'runs/two'],
    ['one', 'runs/one'],
  ]);
  expect(a!.candidates[0]!.sampling).toMatchObject({ temperature: 1, top_k: 0, top_p: 1, max_tokens: 12, seed: 5 });
  expect(new Set(a!.candidates.map((c) => c.answer)).size).toBe(3);
  expect(a!.candidates.every((c) => ['stop', 'tokens', 'context'].includes(c.finish!))).toBe(true);
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect([first.tasks.length, first.sampling.state().left]).toEqual([2, 2]);
  first.sampling.close();

  // Another server over the same lake: what is there is there, the rest is sampled. Damage is sampled again.
  const folder = join(lake, 'judgements', 'sampled');
  appendFileSync(join(folder, readdirSync(folder)[0]!), 'torn\n{"id":"p3"}\nnull\n');
  const second = await sample(lake, plan, 10, 4);
  expect(second.tasks.slice(0, 2)).toEqual(first.tasks);
  expect(second.tasks.map((t) => t.prompt_id)).toEqual(['p0', 'p1', 'p2', 'p3']);
  expect(second.sampling.state()).toEqual({ left: 0, refused: 0, note: null });
  expect(readdirSync(join(lake, 'judgements', 'sampled'))).toHaveLength(1);

  // All at once elsewhere: the same answers.
  const other = await temporaryLake();
  const third = await sample(other, { ...plan, models: plan.models }, 10, 4);
  expect(third.tasks).toEqual(second.tasks);
});

test('a prompt that the model cannot take, and answers that are all the same, are said and passed over', async () => {
  const lake = await temporaryLake();
  const plan = await planFor(lake);
  const long = { id: 'long', prompt: [{ role: 'user', content: 'word '.repeat(2000) }] };
  const { tasks, sampling } = await sample(lake, { ...plan, prompts: [long, prompts[0]!] }, 5, 1);
  expect(tasks.map((t) => t.prompt_id)).toEqual(['p0']);
  expect(sampling.state()).toMatchObject({ left: 0, refused: 1 });
  expect(sampling.state().note).toMatch(/tokens/);
  const cold = { ...plan, models: plan.models.slice(0, 1), choice: { ...plan.choice, temperature: 0 } };
  const same = await sample(lake, { ...cold, prompts: [prompts[0]!] }, 1, 1);
  expect(same.tasks).toEqual([]);
  expect(same.sampling.state()).toMatchObject({ refused: 1, note: 'the answers are all the same' });
});

test('a model that is not there is one note, and nothing hangs', async () => {
  const lake = await temporaryLake();
  const plan = await planFor(lake);
  const gone = { ...plan, models: [{ run: 'gone', checkpoint: 'gone', path: join(lake, 'gone') }] };
  const { sampling } = await sample(lake, gone, 1, 0);
  for (let tries = 0; tries < 500 && sampling.state().left > 0; tries++)
    await new Promise((resolve) => setTimeout(resolve, 20));
  expect(sampling.state()).toMatchObject({ left: 0, refused: 0 });
  expect(sampling.state().note).toMatch(/gone/);
  expect(existsSync(join(lake, 'gone'))).toBe(false);
});

test('prompts of a file: drawn by the seed, each once', async () => {
  const lake = await temporaryLake();
  const file = join(lake, 'prompts.jsonl');
  const { writeFileSync } = await import('node:fs');
  writeFileSync(
    file,
    `${Array.from({ length: 30 }, (_, i) => JSON.stringify({ prompt: `q${i % 25}` })).join('\n')}\n{"text":"x"}\n`,
  );
  const all = await readPrompts(file, 100, 1);
  expect([all.prompts.length, all.refused]).toEqual([25, 1]);
  const [one, two] = [await readPrompts(file, 5, 1), await readPrompts(file, 5, 2)];
  expect(one.prompts).toHaveLength(5);
  expect(one).toEqual(await readPrompts(file, 5, 1));
  expect(one.prompts).not.toEqual(two.prompts);
});
