import { expect, test } from 'vitest';
import { CASES } from './conformance.ts';
import { absentMpi, type Answer, runAlone, runMpi, startShared } from './launch.ts';

function expectConform(answers: Answer[]): void {
  for (const answer of answers) {
    expect(answer).toMatchObject({ result: { wrong: [] }, end: 0 });
    expect((answer.result as { ran: number }).ran).toBeGreaterThan(CASES.length / 2);
  }
}

test('the table on one rank', async () => expectConform([await runAlone({ part: 'conform' })]));

test.each([2, 3, 4, 8])('the table over shared memory on %d ranks', async (ranks) => {
  const { answers } = startShared(ranks, { part: 'conform' }, ranks === 3 ? 'proc' : 'inheritance');
  expectConform(await answers);
});

const absent = absentMpi();
if (absent) console.log(`skipped, the table over MPI: ${absent}`);

// Small pieces: what is larger is summed one after the other.
test.skipIf(absent).each([
  [2, true, undefined],
  [4, false, 20_000],
] as const)('the table over MPI on %d ranks, checked: %s', async (ranks, check, piece) => {
  const { answers, end, errors } = await runMpi(ranks, { part: 'conform', check, ...(piece ? { piece } : {}) });
  expect([end, errors]).toEqual([0, '']);
  expect(answers).toHaveLength(ranks);
  expectConform(answers);
});
