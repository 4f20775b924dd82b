import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readJudgements } from '../../studio/rank/journal.ts';
import { pairsOf, standing } from '../../studio/rank/pairs.ts';
import {
  candidatesFile,
  chromium,
  journal,
  nextTask,
  openPage,
  pairs,
  profile,
  seen,
  serveRank,
  temporaryFolder,
  written,
} from './browser.ts';

test.skipIf(!chromium)(
  'a judge does 20 comparisons by keyboard alone, blind, and each is written as it was seen',
  async () => {
    const folder = temporaryFolder();
    const { url } = await serveRank(folder, ['--candidates-file', candidatesFile(folder, pairs(20))]);
    const context = await profile();
    const told: string[] = [];
    context.on(
      'response',
      (r) =>
        void r
          .text()
          .then((t) => told.push(t))
          .catch(() => {}),
    );
    const { page, faults } = await openPage(context, url);
    expect(new URL(page.url()).search).toBe('');

    const expected: { verdict: string; best: string | null; comment: string | null; prompt: string }[] = [];
    for (let i = 0; i < 20; i++) {
      const { prompt, answers } = await seen(page);
      expect(answers).toHaveLength(2);
      const comment = i % 5 === 4 ? `odd tea set ${i} 好` : null;
      if (comment) {
        await page.keyboard.press('c');
        // Letters in the comment are letters, not verdicts.
        await page.keyboard.insertText(comment);
        await page.keyboard.press('Escape');
      }
      const key = ['1', '2', 't', '2', '1', 'x', 's'][i % 7]!;
      await page.keyboard.press(key);
      expected.push({
        verdict: { t: 'tie', x: 'all_bad', s: 'skip' }[key] ?? 'ranked',
        best: /\d/.test(key) ? answers[Number(key) - 1]! : null,
        comment,
        prompt,
      });
      await nextTask(page, prompt);
    }
    const lines = await written(folder, 20);
    expect(
      lines.map((l) => ({
        verdict: l.verdict,
        best: l.verdict === 'ranked' ? l.candidates.find((c) => c.id === l.order[0]![0])!.answer : null,
        comment: l.comment,
        prompt: l.prompt[0]!.content,
      })),
    ).toEqual(expected);
    expect(new Set(lines.map((l) => l.task)).size).toBe(20);
    expect(lines.every((l) => l.judge === 'ann' && l.ms! >= 0 && l.shown.length === 2 && l.guideline !== null)).toBe(
      true,
    );
    expect(await page.textContent('.waiting')).toContain('You have seen every comparison');
    expect(await page.textContent('rank-stats')).toMatch(/20 of 20 seen by you.*First shown wins/);
    // Both orders were shown, and nothing that reached the browser says who wrote what.
    const firsts = lines.map((l) => l.candidates.findIndex((c) => c.id === l.shown[0]));
    expect(new Set(firsts).size).toBe(2);
    expect(told.join('')).toContain('What is 3 + 3?');
    expect(told.join('')).not.toContain('secret');
    expect(faults).toEqual([]);
  },
);

test.skipIf(!chromium)('undo takes back and judges anew; ranks, the best, and a rank taken back', async () => {
  const folder = temporaryFolder();
  const lines = Array.from({ length: 5 }, (_, i) => ({
    prompt: `q${i}`,
    candidates: ['A', 'B', 'C', 'D'].map((x) => `${x}${i}`),
  }));
  const { url } = await serveRank(folder, ['--candidates-file', candidatesFile(folder, lines)]);
  const { page, faults } = await openPage(await profile(), url);
  const press = async (...keys: string[]) => {
    const shown = await seen(page);
    for (const key of keys) await page.keyboard.press(key);
    return shown;
  };
  const orderOf = async (line: number, answers: string[]) => {
    const found = (await written(folder, line + 1))[line]!;
    return found.order.map((g) =>
      g.map((id) => answers.indexOf(found.candidates.find((c) => c.id === id)!.answer) + 1).toSorted((a, b) => a - b),
    );
  };
  const first = await press('3', '1', '4');
  expect(await orderOf(0, first.answers)).toEqual([[3], [1], [4], [2]]);
  await nextTask(page, first.prompt);
  const second = await press('Shift+Digit2');
  expect(await orderOf(1, second.answers)).toEqual([[2], [1, 3, 4]]);
  await nextTask(page, second.prompt);
  const third = await seen(page);
  await page.keyboard.press('u');
  expect(await seen(page)).toEqual(second);
  // 4 is first, 1 is second and taken back, 2 is second; the rest share the last place.
  await press('4', '1', 'Backspace', '2', 'Enter');
  expect(await orderOf(3, second.answers)).toEqual([[4], [2], [1, 3]]);
  expect((await seen(page)).prompt).toBe(third.prompt);
  // Everything again by mouse.
  await page.click('answer-card:nth-child(2) .choose');
  await page.click('answer-card:nth-child(3) .choose');
  expect(await page.textContent('answer-card:nth-child(3) .place')).toBe('2nd');
  await page.click('answer-card:nth-child(2) .choose');
  expect(await page.textContent('answer-card:nth-child(3) .place')).toBe('');
  await page.click('answer-card:nth-child(1) footer button:last-child');
  expect(await orderOf(4, third.answers)).toEqual([[1], [2, 3, 4]]);
  const all = await standing(readJudgements(join(folder, 'lake')));
  expect(all.map((j) => pairsOf(j).length)).toEqual([6, 5, 3]);
  expect(journal(folder)[2]).toMatchObject({ verdict: 'retract', retracts: journal(folder)[1]!.id, candidates: [] });
  expect(faults).toEqual([]);
});
