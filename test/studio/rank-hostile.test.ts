import { expect, test } from 'vitest';
import type { Page } from 'playwright-core';
import {
  candidatesFile,
  chromium,
  nextTask,
  openPage,
  pairs,
  profile,
  serveRank,
  temporaryFolder,
  written,
} from './browser.ts';

const BIG = 1 << 20;

test.skipIf(!chromium)('hostile text is text: scripts, bidi overrides, a megabyte', async () => {
  const folder = temporaryFolder();
  const script =
    '<img src=x onerror="document.title=\'pwned\'"></bdi></main><script>document.title="pwned"</script>&amp;';
  const file = candidatesFile(folder, [
    {
      prompt: `<script>document.title="pwned"</script> Is \u202ethis\u202c it?`,
      candidates: [script, 'user\u202egnp.exe\u2066 a\u0000\u0007\u200b\u200bz \ud800.\nمرحبا\nabc'],
    },
    { prompt: 'long', candidates: ['x'.repeat(BIG), `${'Wort '.repeat(BIG / 5)}end`, '\u202e\u202d'.repeat(BIG / 2)] },
    {
      prompt: [
        { role: 'constructor', content: 'one' },
        { role: 'sys\u202etem', content: 'two' },
      ],
      candidates: ['', 'not empty'],
    },
  ]);
  const { url } = await serveRank(folder, ['--candidates-file', file]);
  const { page, faults } = await openPage(await profile(), url);
  const texts = () => page.locator('answer-card .text').allTextContents();
  const elements = () => page.locator('main img, main script, main style, main a, main iframe').count();

  expect(await page.textContent('.turns .text')).toBe('<script>document.title="pwned"</script> Is RLOthisPDF it?');
  expect((await texts()).toSorted()).toEqual(
    [script, 'userRLOgnp.exeLRI aU+0000U+0007ZWSP×2z \ufffd.\nمرحبا\nabc'].toSorted(),
  );
  expect(await page.locator('.mark').first().getAttribute('title')).toBe('right-to-left override, U+202E');
  expect(await page.locator('answer-card .text bdi[dir=auto]').count()).toBe(2);
  expect(await elements()).toBe(0);
  await page.keyboard.press('1');

  await page.waitForSelector('.turns:has-text("long")');
  const started = Date.now();
  const shown = await texts();
  expect(
    shown
      .map((t) => t.length)
      .toSorted((a, b) => a - b)
      .slice(0, 2),
  ).toEqual([BIG, BIG + 2]);
  expect(shown.find((t) => t.includes('RLO'))!.replace(/⟦?[RL]{1,2}O⟧?/g, '')).toBe('');
  expect(await elements()).toBe(0);
  // It stays in its box, and the page answers at once.
  for (const box of await page.locator('answer-card .text').all())
    expect((await box.boundingBox())!.height).toBeLessThan(600);
  await page.locator('answer-card .text').first().focus();
  await page.keyboard.press('End');
  await page.keyboard.press('Shift+Digit1');
  await nextTask(page, 'long');
  expect(Date.now() - started).toBeLessThan(20_000);
  expect((await texts()).some((t) => t === 'an empty answer')).toBe(true);
  expect(await page.locator('.turn .role').allTextContents()).toEqual(['constructor', 'sysRLOtem']);
  await page.keyboard.press('x');

  const lines = await written(folder, 3);
  expect(lines[1]!.candidates.map((c) => c.answer.length)).toEqual([BIG, BIG - (BIG % 5) + 3, BIG]);
  expect(await page.title()).not.toContain('pwned');
  expect(faults).toEqual([]);
});

test.skipIf(!chromium)('no script comes in: neither inline, nor as markup, nor from elsewhere', async () => {
  const folder = temporaryFolder();
  const { url } = await serveRank(folder, ['--candidates-file', candidatesFile(folder, pairs(1))]);
  const { page } = await openPage(await profile(), url);
  const tried = await page.evaluate(async () => {
    const { document: d } = globalThis as unknown as { document: { createElement(t: string): never; body: never } };
    const script = d.createElement('script') as { textContent: string; src: string };
    const outcome: string[] = [];
    for (const act of [
      () => (script.textContent = 'globalThis.pwned = 1'),
      () => ((d.body as { innerHTML: string }).innerHTML = '<b>x</b>'),
      () => (script.src = 'http://evil.example/x.js'),
    ]) {
      try {
        act();
        outcome.push('done');
      } catch {
        outcome.push('refused');
      }
    }
    outcome.push(
      await fetch('http://127.0.0.1:9/').then(
        () => 'done',
        () => 'refused',
      ),
    );
    return outcome;
  });
  expect(tried).toEqual(['refused', 'refused', 'refused', 'refused']);
  const cookies = await page.evaluate(
    () => (globalThis as unknown as { document: { cookie: string } }).document.cookie,
  );
  expect(cookies).toBe('');
});

/** Names of what can be reached with Tab, from the top of the page. */
async function tabStops(page: Page): Promise<string[]> {
  const names: string[] = [];
  for (let i = 0; i < 40; i++) {
    await page.keyboard.press('Tab');
    const name = await page.evaluate(() => {
      type E = { tagName: string; textContent: string; getAttribute(n: string): string | null };
      const { document: d } = globalThis as unknown as { document: { activeElement: E; body: E } };
      return d.activeElement === d.body ? '' : `${d.activeElement.tagName}:${d.activeElement.textContent}`;
    });
    if (name === '' || names.includes(name)) break;
    names.push(name);
  }
  return names;
}

test.skipIf(!chromium).each([
  { width: 1280, scheme: 'light' },
  { width: 390, scheme: 'dark' },
] as const)(
  'at $width pixels, $scheme: nothing overflows, all is named, reached and seen',
  async ({ width, scheme }) => {
    const folder = temporaryFolder();
    const four = {
      prompt: 'Name a river. '.repeat(30),
      candidates: ['A', 'B', 'C', 'D'].map((x) => `${x} ${'longword'.repeat(40)}`),
    };
    const { url } = await serveRank(folder, ['--candidates-file', candidatesFile(folder, [four])]);
    const { page } = await openPage(await profile({ viewport: { width, height: 844 }, colorScheme: scheme }), url);
    const size = await page.evaluate(() => {
      const { document: d, innerWidth: w } = globalThis as unknown as {
        document: { documentElement: { scrollWidth: number } };
        innerWidth: number;
      };
      return [d.documentElement.scrollWidth, w];
    });
    expect(size[0]).toBeLessThanOrEqual(size[1]!);
    for (const button of await page.getByRole('button').all())
      expect((await button.textContent())!.trim()).not.toBe('');
    for (const name of ['Answer 1', 'Answer 2', 'Answer 3', 'Answer 4'])
      expect(await page.getByRole('group', { name, exact: true }).count()).toBe(1);
    expect(await page.getByRole('toolbar', { name: 'Verdict' }).count()).toBe(1);
    expect(await page.getByRole('heading', { level: 1 }).textContent()).toBe('Prompt');
    const stops = (await tabStops(page)).join(' | ');
    for (const word of [
      'A longword',
      'D longword',
      'Next in rank',
      'Best',
      'Tie',
      'All bad',
      'Skip',
      'Comment',
      'Keys',
    ])
      expect(stops).toContain(word);
    // A ring around what has the focus; keys can be switched off for those who press them by accident.
    const ring = () =>
      page.evaluate(() => {
        const g = globalThis as unknown as {
          document: { activeElement: never };
          getComputedStyle(e: never): { outlineStyle: string };
        };
        return g.getComputedStyle(g.document.activeElement).outlineStyle;
      });
    await page.locator('answer-card .text').first().focus();
    await page.keyboard.press('Tab');
    expect(await ring()).toBe('solid');
    await page.keyboard.press('?');
    await page.waitForSelector('dialog[open]');
    await page.keyboard.press('Space');
    await page.keyboard.press('Escape');
    await page.keyboard.press('t');
    await page.waitForTimeout(100);
    expect(await page.locator('.work').isVisible()).toBe(true);
    await page.locator('.verdicts button', { hasText: 'Tie' }).click();
    await written(folder, 1);
  },
);
