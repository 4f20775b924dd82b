import type { Judgement } from '../../core/records/index.ts';
import { krippendorff, wilson, type Agreement, type Share } from './agreement.ts';
import type { Task } from './tasks.ts';

/** A judgement without its texts: what the desk keeps in memory. */
type Judged = Pick<Judgement, 'id' | 'judge' | 'session' | 'task' | 'shown' | 'verdict' | 'order'>;

/** A task that one tab works on. */
export interface Lease {
  task: string;
  session: string;
  judge: string;
  /** Milliseconds since 1970. */
  until: number;
}

export interface Progress {
  /** Tasks so far [count]; more may come while answers are sampled. */
  tasks: number;
  /** Tasks with as many judgements as the overlap asks for. */
  done: number;
  /** Tasks that this judge judged or skipped. */
  mine: number;
  skipped: number;
  /** Judgements that stand, of all judges, skips left out. */
  judgements: number;
  judges: number;
  overlap: number;
  /** Whose answer is best (or tie, all bad), over tasks with several judges. */
  best: Agreement;
  /** The ranks of the answers, over the same tasks. */
  ranks: Agreement;
  /** How often the answer that stood first was the best one. */
  first: Share & { expected: number | null };
}

/** Hands out tasks and knows what was said about them. */
export interface Desk {
  add(task: Task): void;
  task(id: string): Task | undefined;
  tasks(): number;
  /** What the journal says, in its order. */
  take(line: Judgement): void;
  /** The next task for a tab, held by it from now on; the task it names where that is free. Null where there is none. */
  lease(session: string, judge: string, wanted?: string): Task | null;
  /** The tab still works on what it holds. */
  renew(session: string): void;
  /** The tab is done with a task, or closed. */
  release(session: string, task?: string): void;
  /** A judgement of this judge about the task that stands. */
  standing(task: string, judge: string): string | null;
  progress(judge: string): Progress;
  leases(): Lease[];
}

export interface DeskOptions {
  /** How many judges see a task. */
  overlap: number;
  /** How long a tab keeps a task that it says nothing about [ms]. */
  leaseMs: number;
  now: () => number;
  /** Leases of an earlier server on the same lake. */
  leases?: readonly Lease[];
}

/** Opens a desk without tasks. Pure but for the clock that it is given. */
export function openDesk({ overlap, leaseMs, now, leases = [] }: DeskOptions): Desk {
  const tasks = new Map<string, Task>();
  const byTask = new Map<string, Judged[]>();
  const retracted = new Set<string>();
  const held = new Map(leases.map((l) => [l.task, l]));

  const standing = (task: string) => (byTask.get(task) ?? []).filter((j) => !retracted.has(j.id));
  const counted = (task: string) => standing(task).filter((j) => j.verdict !== 'skip');
  const leaseOf = (task: string) => {
    const lease = held.get(task);
    return lease && lease.until > now() ? lease : null;
  };
  const isFree = (task: string, session: string, judge: string) => {
    const lease = leaseOf(task);
    if (lease && lease.session !== session) return false;
    return !standing(task).some((j) => j.judge === judge) && counted(task).length < overlap;
  };
  /** Tasks that others began come first, so that they can be compared soon; then the order of the tasks. */
  const next = (session: string, judge: string): string | null => {
    let fresh: string | null = null;
    for (const id of tasks.keys()) {
      if (leaseOf(id)?.session === session || !isFree(id, session, judge)) continue;
      if (counted(id).length > 0) return id;
      fresh ??= id;
    }
    return fresh;
  };

  return {
    add: (task) => void tasks.set(task.id, task),
    task: (id) => tasks.get(id),
    tasks: () => tasks.size,
    take({ id, judge, session, task, shown, verdict, order, retracts }) {
      if (verdict === 'retract') {
        if (retracts !== null) retracted.add(retracts);
        return;
      }
      const list = byTask.get(task) ?? [];
      list.push({ id, judge, session, task, shown, verdict, order });
      byTask.set(task, list);
    },
    lease(session, judge, wanted) {
      const id = wanted !== undefined && tasks.has(wanted) && isFree(wanted, session, judge) ? wanted : null;
      const found = id ?? next(session, judge);
      if (found === null) return null;
      held.set(found, { task: found, session, judge, until: now() + leaseMs });
      return tasks.get(found)!;
    },
    renew(session) {
      for (const lease of held.values()) if (lease.session === session) lease.until = now() + leaseMs;
    },
    release(session, task) {
      for (const lease of held.values())
        if (lease.session === session && (task === undefined || lease.task === task)) held.delete(lease.task);
    },
    standing: (task, judge) => standing(task).find((j) => j.judge === judge)?.id ?? null,
    leases: () => [...held.values()].filter((l) => l.until > now()),
    progress(judge) {
      const all = [...tasks.values()];
      const mine = all.flatMap((t) => standing(t.id).filter((j) => j.judge === judge));
      const judged = all.map((t) => ({ task: t, judgements: counted(t.id) }));
      const flat = judged.flatMap((t) => t.judgements);
      return {
        tasks: all.length,
        done: judged.filter((t) => t.judgements.length >= overlap).length,
        mine: mine.length,
        skipped: mine.filter((j) => j.verdict === 'skip').length,
        judgements: flat.length,
        judges: new Set(flat.map((j) => j.judge)).size,
        overlap,
        ...agreement(judged),
        first: positionBias(flat),
      };
    },
  };
}

/** The one answer that a judgement puts above all others, or null. */
const winner = (j: Judged): string | null =>
  j.verdict === 'ranked' && j.order.length > 1 && j.order[0]!.length === 1 ? j.order[0]![0]! : null;

function agreement(judged: readonly { task: Task; judgements: Judged[] }[]): { best: Agreement; ranks: Agreement } {
  const shared = judged.filter((t) => t.judgements.length > 1);
  const best = shared.map(({ task, judgements }) =>
    judgements.map((j) => {
      const won = winner(j);
      if (won !== null) return task.candidates.findIndex((c) => c.id === won);
      return j.verdict === 'all_bad' ? 'all_bad' : 'tie';
    }),
  );
  const ranks = shared.flatMap(({ task, judgements }) =>
    task.candidates.map((c) => judgements.filter((j) => j.verdict !== 'all_bad').map((j) => rankOf(j.order, c.id))),
  );
  return { best: krippendorff(best, 'nominal'), ranks: krippendorff(ranks, 'ordinal') };
}

/** The place of an answer, from 1; equal ones share the middle of theirs. */
function rankOf(order: readonly string[][], id: string): number {
  let before = 0;
  for (const group of order) {
    if (group.includes(id)) return before + (group.length + 1) / 2;
    before += group.length;
  }
  return before + 1;
}

function positionBias(judgements: readonly Judged[]): Progress['first'] {
  const decided = judgements.filter((j) => winner(j) !== null && j.shown.length > 1);
  const wins = decided.filter((j) => winner(j) === j.shown[0]).length;
  const expected = decided.reduce((sum, j) => sum + 1 / j.shown.length, 0) / decided.length;
  return { ...wilson(wins, decided.length), expected: decided.length > 0 ? expected : null };
}
