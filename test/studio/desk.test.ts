import { expect, test } from 'vitest';
import { openDesk } from '../../studio/rank/desk.ts';
import { shownOrder, veil } from '../../studio/rank/tasks.ts';
import { madeJudgement, madeTask } from './made.ts';

const tasks = ['p', 'q', 'r'].map((name) => madeTask(name));
function desk(overlap = 1, leases: Parameters<typeof openDesk>[0]['leases'] = []) {
  const clock = { now: 0 };
  const opened = openDesk({ overlap, leaseMs: 1000, now: () => clock.now, leases });
  for (const task of tasks) opened.add(task);
  return { opened, clock };
}
const [p, q, r] = tasks as [(typeof tasks)[0], (typeof tasks)[0], (typeof tasks)[0]];

test('a task is leased to one tab, until the tab gives it back or is silent for too long', () => {
  const { opened, clock } = desk();
  expect(opened.lease('one', 'ann')).toBe(p);
  expect(opened.lease('two', 'bob')).toBe(q);
  expect(opened.lease('one', 'ann')).toBe(r);
  expect(opened.lease('two', 'bob')).toBeNull();
  opened.release('one', r.id);
  expect(opened.lease('two', 'bob')).toBe(r);
  clock.now = 900;
  opened.renew('one');
  clock.now = 1500;
  expect(opened.lease('three', 'cat')).toBe(q);
  expect(opened.lease('three', 'cat')).toBe(r);
  expect(opened.lease('three', 'cat')).toBeNull();
  opened.release('one');
  expect(opened.lease('three', 'cat')).toBe(p);
});

test('leases outlive the server that gave them', () => {
  const first = desk();
  first.opened.lease('one', 'ann');
  const second = desk(1, first.opened.leases());
  expect(second.opened.lease('two', 'bob')).toBe(q);
  expect(second.opened.lease('one', 'ann', p.id)).toBe(p);
});

test('a judge sees a task once, in whatever tab; a skip counts for nobody else', () => {
  const { opened } = desk();
  opened.take(madeJudgement('1', p, 'a>b'));
  opened.take(madeJudgement('2', q, '', { verdict: 'skip' }));
  expect(opened.lease('one', 'ann')).toBe(r);
  expect(opened.lease('two', 'bob')).toBe(q);
  expect(opened.standing(p.id, 'ann')).toBe('1');
  expect(opened.progress('ann')).toMatchObject({ tasks: 3, done: 1, mine: 2, skipped: 1, judgements: 1, judges: 1 });
});

test('overlap: a task that others began comes first, and is done after so many judges', () => {
  const { opened } = desk(2);
  opened.take(madeJudgement('1', q, 'a>b'));
  expect(opened.lease('two', 'bob')).toBe(q);
  opened.take(madeJudgement('2', q, 'b>a', { judge: 'bob' }));
  opened.release('two');
  expect(opened.lease('three', 'cat')).toBe(p);
  expect(opened.progress('bob')).toMatchObject({ done: 1, judgements: 2, judges: 2, best: { units: 1, values: 2 } });
});

test('what is taken back can be judged again; a retraction may come before its judgement', () => {
  const { opened } = desk();
  opened.take(madeJudgement('1', p, 'a>b'));
  opened.take(madeJudgement('2', p, '', { verdict: 'retract', retracts: '1' }));
  expect(opened.lease('one', 'ann', p.id)).toBe(p);
  opened.take(madeJudgement('4', q, '', { verdict: 'retract', retracts: '3' }));
  opened.take(madeJudgement('3', q, 'a>b'));
  expect(opened.standing(q.id, 'ann')).toBeNull();
});

test('agreement counts ties and all bad as answers of their own, ranks as ranks; the first place is counted', () => {
  const { opened } = desk(2);
  const say = (id: string, task: typeof p, judge: string, order: string, more = {}) =>
    opened.take(madeJudgement(id, task, order, { judge, ...more }));
  say('1', p, 'ann', 'a>b');
  say('2', p, 'bob', 'a>b');
  say('3', q, 'ann', 'b>a');
  say('4', q, 'bob', 'b>a');
  say('5', r, 'ann', 'a=b', { verdict: 'tie' });
  say('6', r, 'bob', '', { verdict: 'all_bad' });
  const { best, ranks, first } = opened.progress('ann');
  // Values: 0 0 | 1 1 | tie all_bad. Do = 2/6, De = 1 − (2·1 + 2·1)/(6·5) … = 26/30.
  expect(best).toMatchObject({ units: 3, values: 6 });
  expect(best.alpha).toBeCloseTo(1 - 2 / 6 / (26 / 30), 10);
  expect(ranks).toMatchObject({ alpha: 1, units: 4 });
  expect(first).toMatchObject({ share: 0.5, n: 4, expected: 0.5 });
});

test('the order on the page is random over tasks, the same for a seed and a judge, and tells nothing of the run', () => {
  const four = Array.from({ length: 600 }, (_, i) => madeTask(`t${i}`, 4));
  const firsts = four.map((t) => t.candidates.indexOf(shownOrder(t, 'ann', 1)[0]!));
  for (const place of [0, 1, 2, 3]) {
    const share = firsts.filter((f) => f === place).length / four.length;
    expect(share).toBeGreaterThan(0.19);
    expect(share).toBeLessThan(0.31);
  }
  expect(shownOrder(four[0]!, 'ann', 1)).toEqual(shownOrder(four[0]!, 'ann', 1));
  const moved = four.filter((t) => shownOrder(t, 'ann', 1)[0] !== shownOrder(t, 'bob', 1)[0]);
  expect(moved.length).toBeGreaterThan(300);
  const names = four.flatMap((t) => t.candidates.map((c) => veil(t, c)));
  expect(new Set(names).size).toBe(2400);
  expect(names.every((n) => /^[0-9a-f]{16}$/.test(n))).toBe(true);
});
