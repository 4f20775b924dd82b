import { expect, test } from 'vitest';
import { CASES } from './conformance.ts';
import { type Answer, runAlone, startShared } from './launch.ts';

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
