import { Hono, type Context } from 'hono';
import { z } from 'zod';
import { VERDICTS, type Judgement } from '../../core/records/index.ts';
import type { StudioPage } from '../server/app.ts';
import type { Desk } from './desk.ts';
import type { Journal } from './journal.ts';
import { shownOrder, veil, type Task } from './tasks.ts';

const LONGEST_COMMENT = 20_000;

const uuid = z.uuid();
const name = z.string().trim().min(1).max(100);
const asking = z.strictObject({ session: uuid, judge: name, task: z.string().max(100).optional() });
const holding = z.strictObject({ session: uuid, task: z.string().max(100).optional() });
const sent = z.strictObject({
  id: uuid,
  session: uuid,
  judge: name,
  task: z.string().max(100),
  verdict: z.enum(VERDICTS),
  /** Names of the page, best group first. */
  order: z.array(z.array(z.string()).min(1)).max(4),
  /** Names of the page as they stood on it. */
  shown: z.array(z.string()).max(4),
  retracts: uuid.nullable(),
  comment: z.string().max(LONGEST_COMMENT).nullable(),
  ms: z.number().min(0).max(Number.MAX_SAFE_INTEGER).nullable(),
});
type Sent = z.output<typeof sent>;

export interface RankPage {
  desk: Desk;
  journal: Pick<Journal, 'append' | 'has'>;
  /** Of the order in which answers are shown. */
  seed: number;
  /** Who judges where the page says nothing else. */
  judge: string;
  guideline: { text: string; hash: string } | null;
  /** Whether more tasks will come, and what went wrong with those that will not. */
  coming: () => { more: boolean; note: string | null };
  /** Told after each change of the leases, and each judgement. */
  changed: () => void;
}

/** The page on which people rank answers: its routes under /api/rank. */
export function rankPage(page: RankPage): StudioPage {
  const api = new Hono();
  const { desk, journal } = page;
  const answer = (judge: string, task: Task | null) => ({
    task: task && taskForPage(task, judge, page.seed),
    progress: desk.progress(judge),
    ...page.coming(),
  });

  api.get('/about', (c) => c.json({ judge: page.judge, guideline: page.guideline?.text ?? null }));
  api.post('/next', async (c) => {
    const asked = await read(c, asking);
    if (!asked) return malformed(c);
    const task = desk.lease(asked.session, asked.judge, asked.task);
    page.changed();
    return c.json(answer(asked.judge, task));
  });
  api.post('/renew', async (c) => {
    const asked = await read(c, asking);
    if (!asked) return malformed(c);
    desk.renew(asked.session);
    page.changed();
    return c.json({ progress: desk.progress(asked.judge), ...page.coming() });
  });
  api.post('/release', async (c) => {
    const asked = await read(c, holding);
    if (!asked) return malformed(c);
    desk.release(asked.session, asked.task);
    page.changed();
    return c.json({});
  });
  api.post('/judgements', async (c) => {
    const asked = await read(c, sent);
    if (!asked) return malformed(c);
    // Sent again because the answer was lost on the way: it counts already.
    if (journal.has(asked.id)) return c.json({ stored: true, progress: desk.progress(asked.judge) });
    const task = desk.task(asked.task);
    // Of another lake, or another file, on the same port: the page keeps it for the server that knows it.
    if (!task) return c.json({ error: 'there is no such task here' }, 404);
    const line = lineOf(page, task, asked);
    if (typeof line === 'string') return c.json({ error: line }, 422);
    if (line.verdict !== 'retract' && desk.standing(line.task, line.judge) !== null)
      return c.json({ error: `${line.judge} has judged this already, in another tab` }, 409);
    if (journal.append(line)) desk.take(line);
    if (line.verdict !== 'retract') desk.release(asked.session, asked.task);
    page.changed();
    return c.json({ stored: true, progress: desk.progress(asked.judge) });
  });
  return { name: 'rank', title: 'Rank', api };
}

const malformed = (c: Context) => c.json({ error: 'the request is not what this page sends' }, 400);

async function read<T>(c: Context, shape: z.ZodType<T>): Promise<T | null> {
  const found = shape.safeParse(await c.req.json().catch(() => null));
  return found.success ? found.data : null;
}

/** What the page may know: texts in the judge's order, and nothing of who wrote them. */
function taskForPage(task: Task, judge: string, seed: number) {
  return {
    id: task.id,
    prompt: task.prompt,
    answers: shownOrder(task, judge, seed).map((c) => ({ name: veil(task, c), text: c.answer })),
  };
}

/** A line of the journal from what the page sent, or what does not fit. */
function lineOf(page: RankPage, task: Task, asked: Sent): Judgement | string {
  const back = new Map(task.candidates.map((c) => [veil(task, c), c.id]));
  const all = (names: readonly string[]) =>
    names.length === back.size && new Set(names).size === back.size && names.every((n) => back.has(n));
  const ids = (names: readonly string[]) => names.map((n) => back.get(n)!);
  const retracts = asked.verdict === 'retract';
  if (retracts !== (asked.retracts !== null)) return 'only a retraction names a judgement';
  if (!retracts && !all(asked.shown)) return 'the answers are not those of the task';
  const groups = { ranked: [2, 4], tie: [1, 1], all_bad: [0, 0], skip: [0, 0], retract: [0, 0] }[asked.verdict];
  if (asked.order.length < groups[0]! || asked.order.length > groups[1]!) return 'the order does not fit the verdict';
  if (asked.order.length > 0 && !all(asked.order.flat())) return 'the order does not name each answer once';
  return {
    id: asked.id,
    at: new Date().toISOString(),
    judge: asked.judge,
    session: asked.session,
    task: task.id,
    prompt_id: task.prompt_id,
    prompt: retracts ? [] : task.prompt,
    candidates: retracts ? [] : task.candidates,
    shown: retracts ? [] : ids(asked.shown),
    verdict: asked.verdict,
    order: asked.order.map(ids),
    retracts: asked.retracts,
    comment: asked.comment === null || asked.comment.trim() === '' ? null : asked.comment.toWellFormed(),
    ms: asked.ms,
    guideline: page.guideline?.hash ?? null,
  };
}
