import { appendFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { PassThrough } from 'node:stream';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { main } from '../../cli/main.ts';
import { judgementsFolder, journalPath } from '../../core/lake/judgements.ts';
import type { Judgement } from '../../core/records/index.ts';
import { readCandidates } from '../../studio/rank/candidates-file.ts';
import { compact, openJournal, readJudgements } from '../../studio/rank/journal.ts';
import { judgementOf } from '../../studio/rank/line.ts';
import { madeJudgement, madeTask, temporaryLake } from './made.ts';

const task = madeTask('p', 3);
const read = async (lake: string, damaged = () => {}) => {
  const found: Judgement[] = [];
  for await (const line of readJudgements(lake, damaged)) found.push(line);
  return found;
};
async function importFile(lake: string, name: string, bytes: string | Buffer) {
  const file = join(lake, name);
  writeFileSync(file, bytes);
  const stderr = new PassThrough();
  await main(['rank', 'import', file, '--lake', lake], {
    stdin: new PassThrough(),
    stdout: new PassThrough(),
    stderr: stderr as unknown as NodeJS.WriteStream,
  });
  return String((stderr.read() as Buffer | null) ?? '').replaceAll(`${lake}/`, '');
}
const lineOf = (more: object) => `${JSON.stringify({ ...madeJudgement('1', task, 'a>b>c'), ...more })}\n`;

test.each([
  ['a time that no table holds', { ms: 1e300 }, { ms: Number.MAX_SAFE_INTEGER }],
  ['half a millisecond', { ms: 12.5 }, { ms: 13 }],
  ['a date in other words', { at: 'Tue, 24 Nov 2026 12:00:00 GMT' }, { at: '2026-11-24T12:00:00.000Z' }],
])('%s comes in as one that the tables take', async (_what, given, kept) => {
  const lake = await temporaryLake();
  expect(await importFile(lake, 'full.jsonl', lineOf(given))).toMatch(/^1 taken in/);
  expect(await compact(lake)).toBe(1);
  expect(await read(lake)).toEqual([{ ...madeJudgement('1', task, 'a>b>c'), ...kept }]);
});

test.each([
  ['an answer twice', { order: [['p-a'], ['p-b'], ['p-a']] }],
  ['an answer that nobody gave', { order: [['p-a'], ['other']] }],
  ['two candidates of one id', { candidates: [task.candidates[0], task.candidates[0]], order: [], shown: [] }],
  ['an empty group', { order: [['p-a'], []] }],
  ['a time before it was shown', { ms: -1 }],
])('a judgement that names %s is refused', (_what, more) => {
  expect(judgementOf(madeJudgement('1', task, 'a>b>c'))).not.toBe(null);
  expect(judgementOf({ ...madeJudgement('1', task, 'a>b>c'), ...more })).toBe(null);
});

test('pairs with endless ids and half characters are read again as they were written, and known again', async () => {
  const lake = await temporaryLake();
  const pair = (id: string) => JSON.stringify({ id, prompt: 'q', chosen: `b ${id.slice(0, 3)}`, rejected: 'a' });
  const file = [pair('x'.repeat(195)), pair('y'.repeat(50_000)), pair('half \ud800')].join('\n');
  expect(await importFile(lake, 'pairs.jsonl', file)).toMatch(/^3 taken in, 0 known already, 0 refused/);
  let damaged = 0;
  expect(await read(lake, () => damaged++)).toHaveLength(3);
  expect(damaged).toBe(0);
  await compact(lake);
  expect(await importFile(lake, 'pairs.jsonl', file)).toMatch(/^0 taken in, 3 known already/);
});

test('a line that grows beyond what the journal reads is refused, in both files', async () => {
  const lake = await temporaryLake();
  const bytes = Buffer.alloc(12 << 20, 0xff);
  const pair = Buffer.concat([Buffer.from('{"prompt":"q","rejected":"a","chosen":"'), bytes, Buffer.from('"}\n')]);
  expect(await importFile(lake, 'pairs.jsonl', pair)).toBe(
    '0 taken in, 0 known already, 1 refused\n  pairs.jsonl:1: longer than 16 MB\n',
  );
  const file = join(lake, 'candidates.jsonl');
  writeFileSync(file, Buffer.concat([Buffer.from('{"prompt":"q","candidates":["'), bytes, Buffer.from('","a"]}\n')]));
  await expect(readCandidates(file)).rejects.toThrow(/longer than 16 MB/);
  const long = { answer: 'b', id: 'i'.repeat(201) };
  writeFileSync(file, JSON.stringify({ prompt: 'q', candidates: ['a', long] }));
  await expect(readCandidates(file)).rejects.toThrow(/no line can be judged/);
});

test('compaction lays a journal with damage aside, whole', async () => {
  const lake = await temporaryLake();
  (await openJournal(lake)).close();
  appendFileSync(journalPath(lake), `${lineOf({})}torn by a bad disk\n${lineOf({ id: '2' })}`);
  const before = readFileSync(journalPath(lake), 'utf8');
  expect(await compact(lake)).toBe(2);
  const aside = readdirSync(judgementsFolder(lake)).filter((name) => name.startsWith('damaged-'));
  expect(aside).toEqual(['damaged-00000.jsonl']);
  expect(readFileSync(join(judgementsFolder(lake), aside[0]!), 'utf8')).toBe(before);
  expect((await read(lake)).map((j) => j.id)).toEqual(['1', '2']);
  appendFileSync(journalPath(lake), 'torn again\n');
  await compact(lake);
  expect(readdirSync(judgementsFolder(lake)).filter((name) => name.startsWith('damaged-'))).toHaveLength(2);
});

test('a journal that is removed under its writer takes nothing that would be lost', async () => {
  const lake = await temporaryLake();
  const journal = await openJournal(lake);
  rmSync(journalPath(lake));
  expect(() => journal.append(madeJudgement('1', task, 'a>b>c'))).toThrow(/removed or replaced/);
  expect(journal.has('1')).toBe(false);
  journal.close();
});
