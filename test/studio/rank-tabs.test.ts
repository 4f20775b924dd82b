import { expect, test } from 'vitest';
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

test.skipIf(!chromium)('two tabs and a server killed under them: nothing is lost, nothing counts twice', async () => {
  const folder = temporaryFolder();
  const args = ['--candidates-file', candidatesFile(folder, pairs(14))];
  const first = await serveRank(folder, args);
  const context = await profile();
  const a = await openPage(context, first.url);
  const b = await openPage(context, `http://127.0.0.1:${first.port}/rank`);
  expect((await seen(a.page)).prompt).not.toBe((await seen(b.page)).prompt);
  let presses = 0;
  const judge = async (page: typeof a.page, key = '1') => {
    const { prompt } = await seen(page);
    await page.keyboard.press(key);
    presses++;
    await nextTask(page, prompt);
  };
  for (const { page } of [a, b, a]) await judge(page);
  await written(folder, 3);
  await first.kill();
  // Both go on with what they have before them; it waits in the browser.
  await judge(a.page);
  await judge(b.page, '2');
  await a.page.waitForSelector('.notice:not([hidden])');
  expect(await a.page.textContent('.notice')).toMatch(
    /Not stored yet: the server does not answer. \d judgements? waits?/,
  );
  expect(journal(folder)).toHaveLength(3);

  const second = await serveRank(folder, args, first.port);
  await written(folder, 5);
  await a.page.waitForSelector('.notice[hidden]', { state: 'attached' });
  // The same line once more, as after an answer that was lost on its way.
  const again = journal(folder)[4]!;
  const status = await a.page.evaluate(
    async ([id, task, session]) => {
      const body = {
        id,
        task,
        session,
        judge: 'ann',
        verdict: 'skip',
        order: [],
        shown: [],
        retracts: null,
        comment: null,
        ms: 0,
      };
      return (await fetch('/api/rank/judgements', { method: 'POST', body: JSON.stringify(body) })).status;
    },
    [again.id, again.task, again.session] as const,
  );
  expect(status).toBe(200);
  await second.kill();
  await serveRank(folder, args, first.port);
  // A reload keeps the tab's name and what it holds.
  await b.page.reload();
  await b.page.waitForSelector('answer-card');
  for (let turn = 0; presses < 14; turn++) {
    const { page } = turn % 2 ? a : b;
    await nextTask(page);
    if (await page.locator('.work').isHidden()) continue;
    await judge(page);
  }
  const lines = await written(folder, 14);
  expect(lines).toHaveLength(14);
  expect(new Set(lines.map((l) => l.id)).size).toBe(14);
  expect(new Set(lines.map((l) => l.task)).size).toBe(14);
  expect(new Set(lines.map((l) => l.session)).size).toBe(2);
  expect([...a.faults, ...b.faults]).toEqual([]);
});

test.skipIf(!chromium)('a closed tab gives its task back; another judge in a tab of their own sees all', async () => {
  const folder = temporaryFolder();
  const { url } = await serveRank(folder, ['--candidates-file', candidatesFile(folder, pairs(2)), '--overlap', '2']);
  const context = await profile();
  const a = await openPage(context, url);
  const held = (await seen(a.page)).prompt;
  // It has both: one before the judge, one ahead.
  const b = await context.newPage();
  await b.goto(new URL('/rank', url).href);
  await b.waitForSelector('.waiting:not([hidden]):has-text("Nothing is left")');
  await a.page.close();
  await b.waitForSelector('answer-card');
  expect((await seen(b)).prompt).toBe(held);
  for (const key of ['1', '2']) {
    const { prompt } = await seen(b);
    await b.keyboard.press(key);
    await nextTask(b, prompt);
  }
  await written(folder, 2);
  await b.click('button.judge');
  await b.keyboard.type('bob');
  await b.keyboard.press('Enter');
  await b.waitForSelector('.work:not([hidden])');
  for (const key of ['1', '1']) {
    const { prompt } = await seen(b);
    await b.keyboard.press(key);
    await nextTask(b, prompt);
  }
  const lines = await written(folder, 4);
  expect(lines.map((l) => l.judge)).toEqual(['ann', 'ann', 'bob', 'bob']);
  await b.waitForSelector('rank-stats:has-text("Prompts done2 of 2"):has-text("best answer, n = 2")');
});

test.skipIf(!chromium)(
  'a judgement about what another server has waits in the browser until that one is back',
  async () => {
    const folder = temporaryFolder();
    const [mine, others] = [temporaryFolder(), temporaryFolder()];
    const args = ['--candidates-file', candidatesFile(mine, pairs(3))];
    const first = await serveRank(folder, args);
    const { page } = await openPage(await profile(), first.url);
    await first.kill();
    await page.keyboard.press('1');
    await page.waitForSelector('.notice:not([hidden])');
    const lines = [{ prompt: 'other', candidates: ['a', 'b'] }];
    const second = await serveRank(others, ['--candidates-file', candidatesFile(others, lines)], first.port);
    await page.goto(second.url);
    await page.waitForSelector('.status:has-text("a judgement about other comparisons")');
    await page.keyboard.press('2');
    expect((await written(others, 1)).map((l) => l.prompt[0]!.content)).toEqual(['other']);
    await second.kill();
    const third = await serveRank(folder, args, first.port);
    await page.goto(third.url);
    expect(await written(folder, 1)).toHaveLength(1);
  },
);
