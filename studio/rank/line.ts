import { z } from 'zod';
import { VERDICTS, type Candidate, type Judgement, type JudgementRow } from '../../core/records/index.ts';

const id = z.string().min(1).max(200);
const turn = z.object({ role: z.string(), content: z.string() });
const candidate: z.ZodType<Candidate> = z.object({
  id,
  run: z.string().nullable().default(null),
  checkpoint: z.string().nullable().default(null),
  answer: z.string(),
  sampling: z.record(z.string(), z.number()).nullable().default(null),
  finish: z.string().nullable().default(null),
});

const line = z.object({
  id,
  at: z.string().refine((text) => !Number.isNaN(Date.parse(text))),
  judge: z.string(),
  session: z.string(),
  task: id,
  prompt_id: z.string(),
  prompt: z.array(turn),
  candidates: z.array(candidate),
  shown: z.array(id),
  verdict: z.enum(VERDICTS),
  order: z.array(z.array(id)),
  retracts: z.string().nullable().default(null),
  comment: z.string().nullable().default(null),
  ms: z.number().nullable().default(null),
  guideline: z.string().nullable().default(null),
});

/** A line of the journal; null for what is none. */
export function parseLine(text: string): Judgement | null {
  try {
    return judgementOf(JSON.parse(text));
  } catch {
    return null;
  }
}

/** A value as a judgement; null for what is none. */
export function judgementOf(value: unknown): Judgement | null {
  const found = line.safeParse(value);
  return found.success ? found.data : null;
}

/** A judgement as a row of a table. */
export const rowOf = (j: Judgement): JudgementRow => ({
  ...j,
  at: Date.parse(j.at),
  candidates: JSON.stringify(j.candidates),
  order: JSON.stringify(j.order),
  ms: j.ms === null ? null : Math.round(j.ms),
});

/** A row of a table as a judgement. */
export const judgementOfRow = (row: JudgementRow): Judgement => ({
  ...row,
  at: new Date(row.at).toISOString(),
  verdict: row.verdict as Judgement['verdict'],
  candidates: JSON.parse(row.candidates) as Candidate[],
  order: JSON.parse(row.order) as string[][],
});
