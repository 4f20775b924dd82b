import { appendFileSync, copyFileSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { journalPath, judgementParts } from '../../core/lake/judgements.ts';
import { lockLake } from '../../core/lake/lock.ts';
import { openCatalog } from '../../datasets/lake/catalog.ts';
import { query } from '../../datasets/lake/query.ts';
import type { Judgement } from '../../core/records/index.ts';
import { compact, openJournal, readJudgements } from '../../studio/rank/journal.ts';
import { madeJudgement, madeTask, temporaryLake } from './made.ts';

const task = madeTask('p', 3);
const lines = async (lake: string) => {
  const found: Judgement[] = [];
  for await (const line of readJudgements(lake)) found.push(line);
  return found;
};
async function write(lake: string, ...judgements: Judgement[]) {
  const journal = await openJournal(lake);
  const written = judgements.map((j) => journal.append(j));
  journal.close();
  return written;
}

test('an id counts once, in one server and over many', async () => {
  const lake = await temporaryLake();
  const [one, two] = [madeJudgement('1', task, 'a>b>c'), madeJudgement('2', task, 'b>a=c')];
  expect(await write(lake, one, one, two)).toEqual([true, false, true]);
  expect(await write(lake, two)).toEqual([false]);
  expect(await lines(lake)).toEqual([one, two]);
});

test('a line that a kill cut off is taken away; one that lacks only its end is kept; damage in between stays', async () => {
  const lake = await temporaryLake();
  await write(lake, madeJudgement('1', task, 'a>b>c'));
  appendFileSync(journalPath(lake), 'no json\n{"id":"half","at":"20');
  await write(lake, madeJudgement('2', task, 'a>b>c'));
  const text = readFileSync(journalPath(lake), 'utf8');
  expect(text.split('\n').map((l) => l.slice(0, 9))).toEqual(['{"id":"1"', 'no json', '{"id":"2"', '']);
  writeFileSync(journalPath(lake), text.slice(0, -1));
  const journal = await openJournal(lake);
  expect(journal.damaged).toBe(1);
  journal.append(madeJudgement('3', task, 'c>b>a'));
  journal.close();
  expect((await lines(lake)).map((l) => l.id)).toEqual(['1', '2', '3']);
});

test('one writer at a time, and no more: the lake’s own lock is another', async () => {
  const lake = await temporaryLake();
  const training = await lockLake(lake, { wait: false });
  const journal = await openJournal(lake);
  await expect(openJournal(lake)).rejects.toThrow(/judgements are being written by process \d+/);
  journal.close();
  (await openJournal(lake)).close();
  training.release();
});

test('compaction moves lines into Parquet and loses none, also where it was killed half-way', async () => {
  const lake = await temporaryLake();
  const all = ['1', '2', '3'].map((id) => madeJudgement(id, task, 'a>b=c', { comment: id === '2' ? 'so\nso' : null }));
  await write(lake, all[0]!, all[1]!);
  const before = join(lake, 'kept.jsonl');
  copyFileSync(journalPath(lake), before);
  expect(await compact(lake)).toBe(2);
  expect(statSync(journalPath(lake)).size).toBe(0);
  expect(judgementParts(lake)).toHaveLength(1);
  // Killed after the Parquet file was whole and before the journal was emptied.
  copyFileSync(before, journalPath(lake));
  expect(await lines(lake)).toEqual(all.slice(0, 2));
  expect(await write(lake, all[0]!, all[2]!)).toEqual([false, true]);
  expect(await compact(lake)).toBe(1);
  expect(await compact(lake)).toBe(0);
  expect(judgementParts(lake)).toHaveLength(2);
  expect(await lines(lake)).toEqual(all);
});

test('the view reads both, each id once, and knows what was taken back', async () => {
  const lake = await temporaryLake();
  const ask = async (sql: string) => {
    const catalog = await openCatalog(lake);
    try {
      return (await query(catalog, sql)).rows;
    } finally {
      catalog.close();
    }
  };
  expect(await ask('select count(*) from judgements')).toEqual([[0]]);
  const huge = madeTask('huge', 2);
  huge.candidates[0]!.answer = `${'\u0007"\\\u202e'.repeat(200_000)}\u0000 end`;
  await write(lake, madeJudgement('1', task, 'a>b>c'), madeJudgement('2', huge, 'b>a'));
  await compact(lake);
  await write(
    lake,
    madeJudgement('3', huge, 'a>b', { judge: 'bob' }),
    madeJudgement('4', task, '', { verdict: 'retract', retracts: '1', prompt: [], candidates: [], shown: [] }),
  );
  appendFileSync(journalPath(lake), '{"id":"5","at":"2026');
  expect(
    await ask(
      `select id, verdict, stands, len(candidates), "order", candidates[1].run, len(candidates[1].answer), prompt[1].content
       from judgements order by id`,
    ),
  ).toEqual([
    ['1', 'ranked', false, 3, [['p-a'], ['p-b'], ['p-c']], 'run-p-a', 13, 'question p'],
    ['2', 'ranked', true, 2, [['huge-b'], ['huge-a']], 'run-huge-a', 800_005, 'question huge'],
    ['3', 'ranked', true, 2, [['huge-a'], ['huge-b']], 'run-huge-a', 800_005, 'question huge'],
    ['4', 'retract', false, 0, [], null, null, null],
  ]);
  expect(
    await ask(`select j."at"::varchar, candidates[1].sampling ->> 'seed' from judgements j where id = '3'`),
  ).toEqual([['2026-11-24 12:00:00', '1']]);
});
