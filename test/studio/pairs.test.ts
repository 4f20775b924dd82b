import { readFileSync, writeFileSync } from 'node:fs';
import { PassThrough } from 'node:stream';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { main } from '../../cli/main.ts';
import type { Judgement } from '../../core/records/index.ts';
import { openJournal } from '../../studio/rank/journal.ts';
import { pairsOf } from '../../studio/rank/pairs.ts';
import { madeJudgement, madeTask, temporaryLake } from './made.ts';

const four = madeTask('p', 4);
const short = (j: Judgement) => pairsOf(j).map((p) => `${p.chosen.slice(7, 8)}>${p.rejected.slice(7, 8)}`);

test.each([
  { why: 'best of four', order: 'b>a=c=d', pairs: ['b>a', 'b>c', 'b>d'] },
  { why: 'a full ranking', order: 'd>c>b>a', pairs: ['d>c', 'd>b', 'd>a', 'c>b', 'c>a', 'b>a'] },
  { why: 'groups', order: 'a=b>c=d', pairs: ['a>c', 'b>c', 'a>d', 'b>d'] },
])('$why gives $pairs', ({ order, pairs }) => {
  expect(short(madeJudgement('1', four, order))).toEqual(pairs);
});

test.each([
  ['tie', 'a=b=c=d'],
  ['all_bad', ''],
  ['skip', ''],
  ['retract', ''],
] as const)('%s gives none', (verdict, order) => {
  expect(pairsOf(madeJudgement('1', four, order, { verdict }))).toEqual([]);
});

test('two answers of the same text are no pair', () => {
  const same = madeTask('s');
  same.candidates[1]!.answer = same.candidates[0]!.answer;
  expect(pairsOf(madeJudgement('1', same, 'a>b'))).toEqual([]);
});

/** Runs the command; returns its exit code and what it wrote. */
async function garner(...argv: string[]) {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const read = (s: PassThrough) => String((s.read() as Buffer | null) ?? '');
  const code = await main(['rank', ...argv], {
    stdin: new PassThrough(),
    stdout,
    stderr: stderr as unknown as NodeJS.WriteStream,
  });
  return { code, out: read(stdout), err: read(stderr) };
}

async function lakeWith(...judgements: Judgement[]) {
  const lake = await temporaryLake();
  const journal = await openJournal(lake);
  for (const j of judgements) journal.append(j);
  journal.close();
  return lake;
}

test('export and import: pairs and whole judgements, each known again however it comes', async () => {
  const two = madeTask('q');
  const lake = await lakeWith(
    madeJudgement('one', four, 'b>a=c=d'),
    madeJudgement('two', two, 'a>b'),
    madeJudgement('gone', two, 'b>a', { judge: 'bob' }),
    madeJudgement('back', two, '', {
      judge: 'bob',
      verdict: 'retract',
      retracts: 'gone',
      prompt: [],
      candidates: [],
      shown: [],
    }),
  );
  const [pairs, full] = [join(lake, 'pairs.jsonl'), join(lake, 'full.jsonl')];
  expect((await garner('export', '--lake', lake, '-o', pairs)).err).toBe('4 pairs\n');
  expect((await garner('export', '--lake', lake, '--format', 'full', '-o', full)).err).toBe('4 judgements\n');
  const first = JSON.parse(readFileSync(pairs, 'utf8').split('\n')[0]!) as object;
  expect(first).toEqual({
    id: 'one-1',
    source: 'rank',
    prompt: [{ role: 'user', content: 'question p' }],
    chosen: 'answer b to p',
    rejected: 'answer a to p',
    judge: 'ann',
    at: '2026-11-24T12:00:00.000Z',
    judgement: 'one',
  });
  // Where they come from, all are known.
  expect((await garner('import', pairs, full, '--lake', lake)).err).toBe('0 taken in, 8 known already, 0 refused\n');
  // Elsewhere: pairs first, then the same as whole judgements, and the other way round.
  const a = await temporaryLake();
  expect((await garner('import', pairs, '--lake', a)).err).toMatch(/^4 taken in, 0 known/);
  expect((await garner('import', pairs, full, '--lake', a)).err).toMatch(/^2 taken in, 6 known/);
  expect((await garner('export', '--lake', a)).err).toBe('4 pairs\n');
  const b = await temporaryLake();
  expect((await garner('import', full, pairs, '--lake', b)).err).toMatch(/^4 taken in, 4 known/);
  expect((await garner('export', '--lake', b, '--format', 'full')).out).toBe(readFileSync(full, 'utf8'));
  expect((await garner('export', '--lake', b)).out).toBe(readFileSync(pairs, 'utf8'));
});

test('other people’s pairs come in under any shape; half a pair is refused with its line', async () => {
  const lake = await temporaryLake();
  const file = join(lake, 'others.jsonl');
  writeFileSync(file, '{"prompt":"q","chosen":"b","rejected":"a"}\n{"prompt":"q","chosen":"b"}\nno\n');
  const { code, err } = await garner('import', file, '--lake', lake);
  expect([code, err]).toEqual([
    0,
    `1 taken in, 0 known already, 2 refused\n  ${file}:2: half_a_pair\n  ${file}:3: not JSON\n`,
  ]);
  expect(JSON.parse((await garner('export', '--lake', lake)).out)).toMatchObject({ chosen: 'b', rejected: 'a' });
});

test.each([
  [['export', '--format', 'csv'], /--format is "csv"/],
  [['import'], /no file is named/],
  [['run', '--candidates', '5'], /--candidates is "5"/],
  [['run', '--candidates-file', 'x'], /runs and --candidates-file were both given/],
])('%j: one sentence', async (argv, words) => {
  const lake = await temporaryLake();
  const { code, err } = await garner(...argv, '--lake', lake);
  expect(code).toBe(2);
  expect(err).toMatch(words);
});
