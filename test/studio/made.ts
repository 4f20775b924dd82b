import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { openLake } from '../../core/lake/lake.ts';
import type { Judgement, Verdict } from '../../core/records/index.ts';
import { makeTask, type Task } from '../../studio/rank/tasks.ts';

/** A lake in a temporary folder that goes when the test ends. */
export async function temporaryLake(): Promise<string> {
  const lake = await openLake(mkdtempSync(join(tmpdir(), 'garner-studio-')));
  onTestFinished(() => rmSync(lake, { recursive: true, force: true }));
  return lake;
}

const made = (id: string, answer: string) => ({
  id,
  run: `run-${id}`,
  checkpoint: null,
  answer,
  sampling: { seed: 1 },
  finish: 'stop',
});

/** A task with answers `a`, `b` … */
export const madeTask = (name: string, answers = 2): Task =>
  makeTask(
    name,
    [{ role: 'user', content: `question ${name}` }],
    ['a', 'b', 'c', 'd'].slice(0, answers).map((id) => made(`${name}-${id}`, `answer ${id} to ${name}`)),
  );

/** A judgement of a task; `order` in letters: `a>b=c`. */
export function madeJudgement(
  id: string,
  task: Task,
  order: string,
  more: Partial<Judgement> & { verdict?: Verdict } = {},
): Judgement {
  const full = (letter: string) => `${task.prompt_id}-${letter}`;
  return {
    id,
    at: '2026-11-24T12:00:00.000Z',
    judge: 'ann',
    session: 'tab',
    task: task.id,
    prompt_id: task.prompt_id,
    prompt: task.prompt,
    candidates: task.candidates,
    shown: task.candidates.map((c) => c.id),
    verdict: 'ranked',
    order: order === '' ? [] : order.split('>').map((group) => group.split('=').map(full)),
    retracts: null,
    comment: null,
    ms: 1500,
    guideline: null,
    ...more,
  };
}
