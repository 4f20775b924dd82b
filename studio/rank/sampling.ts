import { fork } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, readFileSync, truncateSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { keyOf } from '../../core/hash.ts';
import { judgementsFolder } from '../../core/lake/judgements.ts';
import type { Candidate, Turn } from '../../core/records/index.ts';
import { compiledModule } from '../../core/root.ts';
import { makeTask, type Task } from './tasks.ts';

/** A checkpoint that writes answers. */
export interface Model {
  run: string;
  /** As the judgement records it: key of the run, and step. */
  checkpoint: string;
  path: string;
}

export interface SamplingPlan {
  models: Model[];
  prompts: { id: string; prompt: Turn[] }[];
  /** Answers a prompt, given by the models in turn. */
  candidates: number;
  choice: { tokens: number; temperature: number; topK: number; topP: number; seed: number };
}

/** What the process that samples is told. */
export interface SamplingOrder extends SamplingPlan {
  /** Prompts that need no answers any more. */
  done: string[];
  threads: number;
}

/** What it tells. */
export type SamplingReport =
  | { id: string; prompt: Turn[]; candidates: Candidate[]; refused: string | null }
  | { failed: string };

type Kept = Exclude<SamplingReport, { failed: string }>;

export interface Sampling {
  /** So many tasks may be sampled further. */
  allow(more: number): void;
  /** Prompts without answers so far [count], and the first reason why some will have none. */
  state(): { left: number; refused: number; note: string | null };
  close(): void;
}

/**
 * Samples answers in the background and hands each prompt's on as a task. What was sampled is kept in the lake, so that a
 * server that starts again with the same runs, prompts and numbers goes on where it stopped.
 */
export function startSampling(lake: string, plan: SamplingPlan, onTask: (task: Task) => void): Sampling {
  const { models, prompts, candidates, choice } = plan;
  const folder = join(judgementsFolder(lake), 'sampled');
  const key = keyOf({ models: models.map((m) => m.checkpoint), prompts, candidates, choice });
  const path = join(folder, `${key}.jsonl`);
  mkdirSync(folder, { recursive: true });
  const done = new Set<string>();
  let refused = 0;
  let note: string | null = null;
  let ended = false;

  const take = (report: Kept) => {
    done.add(report.id);
    if (report.refused !== null) {
      refused++;
      note ??= report.refused;
    } else onTask(makeTask(report.id, report.prompt, report.candidates));
  };
  for (const report of kept(path)) take(report);

  const left = () => prompts.length - done.size;
  if (left() === 0) return { allow() {}, state: () => ({ left: 0, refused, note }), close() {} };

  const child = fork(compiledModule('studio/rank/sampling-worker'), { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  child.on('message', (report: SamplingReport) => {
    if ('failed' in report) {
      note = report.failed;
      return;
    }
    appendFileSync(path, `${JSON.stringify(report)}\n`);
    take(report);
  });
  child.on('exit', () => {
    if (left() > 0) note ??= 'sampling stopped';
    ended = true;
  });
  child.on('error', () => {});
  const order: SamplingOrder = { ...plan, done: [...done], threads: Math.max(1, availableParallelism() - 1) };
  child.send(order);
  return {
    allow(more) {
      if (child.connected && more > 0) child.send({ more });
    },
    state: () => ({ left: ended ? 0 : left(), refused, note }),
    close() {
      if (child.connected) child.disconnect();
    },
  };
}

/** What an earlier server sampled; a last line that a kill cut off is taken away, and what is damaged is sampled again. */
function kept(path: string): Kept[] {
  if (!existsSync(path)) return [];
  const text = readFileSync(path, 'utf8');
  const end = text.lastIndexOf('\n') + 1;
  if (end < text.length) truncateSync(path, Buffer.byteLength(text.slice(0, end)));
  return text
    .slice(0, end)
    .split('\n')
    .flatMap((line) => {
      try {
        const report = JSON.parse(line) as Kept;
        return Array.isArray(report.candidates) && Array.isArray(report.prompt) ? [report] : [];
      } catch {
        return [];
      }
    });
}
