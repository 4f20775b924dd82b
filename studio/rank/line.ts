import { z } from 'zod';
import { VERDICTS, type Candidate, type Judgement, type JudgementRow } from '../../core/records/index.ts';
import { MOST } from './tasks.ts';

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

/** Each id once, and only those of `known`. */
const names = (ids: readonly string[], known: readonly string[]): boolean =>
  new Set(ids).size === ids.length && ids.every((one) => known.includes(one));

const shape = z.object({
  id,
  at: z
    .string()
    .refine((text) => !Number.isNaN(Date.parse(text)))
    .transform((text) => new Date(text).toISOString()),
  judge: z.string(),
  session: z.string(),
  task: id,
  prompt_id: z.string(),
  prompt: z.array(turn),
  candidates: z.array(candidate).max(MOST),
  shown: z.array(id),
  verdict: z.enum(VERDICTS),
  order: z.array(z.array(id).min(1)),
  retracts: z.string().nullable().default(null),
  comment: z.string().nullable().default(null),
  ms: z
    .number()
    .min(0)
    .transform((ms) => Math.min(Math.round(ms), Number.MAX_SAFE_INTEGER))
    .nullable()
    .default(null),
  guideline: z.string().nullable().default(null),
});
/** A ranking that names an answer twice, or one that nobody gave, says two things at once. */
const line = shape.refine(({ candidates, shown, order }) => {
  const known = candidates.map((c) => c.id);
  return names(known, known) && names(shown, known) && names(order.flat(), known);
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
});

/** A row of a table as a judgement. */
export const judgementOfRow = (row: JudgementRow): Judgement => ({
  ...row,
  at: new Date(row.at).toISOString(),
  verdict: row.verdict as Judgement['verdict'],
  candidates: JSON.parse(row.candidates) as Candidate[],
  order: JSON.parse(row.order) as string[][],
});
