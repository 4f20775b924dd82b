import { GarnerError } from '../../core/errors.ts';
import { linesOf, readBytes } from '../../core/files.ts';
import { isTooLong, LONGEST_JUDGEMENT } from '../../core/lake/judgements.ts';
import { keyOf } from '../../core/hash.ts';
import type { Candidate, Turn } from '../../core/records/index.ts';
import { z } from 'zod';
import { candidateId, FEWEST, makeTask, MOST, type Task } from './tasks.ts';

const turns = z.array(z.object({ role: z.string().min(1), content: z.string() })).min(1);
const given = z.object({
  answer: z.string(),
  // as long as the journal takes it
  id: z.string().min(1).max(200).optional(),
  run: z.string().nullable().default(null),
  checkpoint: z.string().nullable().default(null),
  sampling: z.record(z.string(), z.number()).nullable().default(null),
  finish: z.string().nullable().default(null),
});
const candidate = z.union([z.string().transform((answer) => given.parse({ answer })), given]);
const line = z.object({
  id: z.union([z.string().min(1), z.number().transform(String)]).optional(),
  prompt: z.union([
    z
      .string()
      .min(1)
      .transform((content): Turn[] => [{ role: 'user', content }]),
    turns,
  ]),
  candidates: z.array(candidate).min(FEWEST).max(MOST),
});

/** A line of the file as a task, or why it is none. */
function taskOf(text: string): Task | string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return 'not JSON';
  }
  const found = line.safeParse(value);
  if (!found.success) {
    const [issue] = found.error.issues;
    return `${issue!.path.join('.') || 'the line'}: ${issue!.message}`;
  }
  const { prompt, candidates } = found.data;
  const promptId = found.data.id ?? keyOf(prompt);
  const made = candidates.map((c): Candidate => ({ ...c, id: c.id ?? candidateId(promptId, c) }));
  const texts = new Set(made.map((c) => c.answer));
  if (texts.size < made.length) return 'two candidates are the same text';
  if (new Set(made.map((c) => c.id)).size < made.length) return 'two candidates have one id';
  return makeTask(promptId, prompt, made);
}

/**
 * Tasks from JSON lines {id?, prompt, candidates}: the prompt a text or turns, two to four candidates, each a text or
 * {id?, answer, run?, checkpoint?, sampling?, finish?}. Throws a GarnerError for a file without one that fits.
 */
export async function readCandidates(
  path: string,
): Promise<{ tasks: Task[]; refused: { line: number; why: string }[] }> {
  const tasks = new Map<string, Task>();
  const refused: { line: number; why: string }[] = [];
  for await (const { number, text, tooLong } of linesOf(readBytes(path), LONGEST_JUDGEMENT)) {
    if (!tooLong && text.trim() === '') continue;
    const found = tooLong || isTooLong(text) ? 'longer than 16 MB' : taskOf(text);
    if (typeof found === 'string') refused.push({ line: number, why: found });
    else tasks.set(found.id, found);
  }
  if (tasks.size === 0)
    throw new GarnerError({
      what: refused[0] ? `no line can be judged; line ${refused[0].line}: ${refused[0].why}` : 'the file is empty',
      where: path,
      hint: 'each line is {"prompt": …, "candidates": [two to four answers]}',
      fault: 2,
    });
  return { tasks: [...tasks.values()], refused };
}
