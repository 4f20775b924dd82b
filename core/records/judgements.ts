import { column, defineTable, optional, type Row, type Turn } from './schema.ts';

export const judgements = defineTable({
  name: 'judgements',
  about: 'What people said about answers: one row a judgement, and one row for each that was taken back.',
  columns: {
    id: column('text', 'UUID made by the page, so that sending twice counts once'),
    at: column('time', 'when it reached the journal'),
    judge: column('text', 'who judged'),
    session: column('text', 'tab of the browser, or import'),
    task: column('text', 'prompt and candidates that were judged together'),
    prompt_id: column('text', 'prompt'),
    prompt: column('messages', 'turns before the answer; none where a judgement is taken back'),
    candidates: column('text', 'JSON: [{id, run, checkpoint, answer, sampling, finish}]'),
    shown: column('texts', 'ids of the candidates in the order in which they stood on the page'),
    verdict: column('text', 'ranked, tie, all_bad, skip or retract'),
    order: column('text', 'JSON: ids in groups, the best group first; those of one group are equal'),
    retracts: optional('text', 'the judgement that this one takes back'),
    comment: optional('text', 'what the judge wrote'),
    ms: optional('int', 'from showing to judging [ms]'),
    guideline: optional('text', 'hash of the guideline that stood above'),
  },
});
/** A judgement as a row of a table: candidates and order are JSON. */
export type JudgementRow = Row<typeof judgements>;

export const VERDICTS = ['ranked', 'tie', 'all_bad', 'skip', 'retract'] as const;
export type Verdict = (typeof VERDICTS)[number];

/** One answer that a person judges. */
export interface Candidate {
  id: string;
  /** Null where the answer came from a file. */
  run: string | null;
  checkpoint: string | null;
  answer: string;
  /** How it was sampled: temperature, top_k, top_p, seed, sequence …; null where nobody knows. */
  sampling: Record<string, number> | null;
  /** Why it ended: stop, tokens or context; null where nobody knows. */
  finish: string | null;
}

/** A judgement as a line of the journal. */
export interface Judgement {
  id: string;
  /** ISO 8601, UTC. */
  at: string;
  judge: string;
  session: string;
  task: string;
  prompt_id: string;
  prompt: Turn[];
  candidates: Candidate[];
  shown: string[];
  verdict: Verdict;
  order: string[][];
  retracts: string | null;
  comment: string | null;
  ms: number | null;
  guideline: string | null;
}
