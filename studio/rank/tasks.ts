import { keyOf, sha256 } from '../../core/hash.ts';
import type { Candidate, Turn } from '../../core/records/index.ts';

/** A prompt and the answers that are judged together. */
export interface Task {
  id: string;
  prompt_id: string;
  prompt: Turn[];
  /** Two to four, in the order of the runs: what agreement is counted over. The page never sees this order. */
  candidates: Candidate[];
}

export const FEWEST = 2;
export const MOST = 4;

/** Text that any reader of JSON and Parquet takes: a half of a surrogate pair becomes the replacement character. */
const whole = (text: string): string => text.toWellFormed();

/** The id of a candidate: the same answer, sampled in the same way, has the same id. */
export const candidateId = (promptId: string, c: Omit<Candidate, 'id'>): string =>
  keyOf({ promptId, run: c.run, checkpoint: c.checkpoint, answer: c.answer, sampling: c.sampling });

/** A task with an id that follows from what it shows. */
export function makeTask(promptId: string, prompt: readonly Turn[], candidates: readonly Candidate[]): Task {
  const clean = candidates.map((c) => ({ ...c, answer: whole(c.answer) }));
  const turns = prompt.map(({ role, content }) => ({ role, content: whole(content) }));
  return {
    id: keyOf({ promptId, prompt: turns, candidates: clean.map((c) => c.id) }),
    prompt_id: promptId,
    prompt: turns,
    candidates: clean,
  };
}

/** What the page calls a candidate: says nothing of the run that wrote it. */
export const veil = (task: Task, candidate: Candidate): string => keyOf([task.id, candidate.id]);

/** The order in which a judge sees the candidates: random, and the same for the same seed, task and judge. */
export function shownOrder(task: Task, judge: string, seed: number): Candidate[] {
  const place = new Map(task.candidates.map((c) => [c.id, sha256([seed, task.id, judge, c.id].join('\u0000'))]));
  return task.candidates.toSorted((a, b) => (place.get(a.id)! < place.get(b.id)! ? -1 : 1));
}
