import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, onTestFinished } from 'vitest';
import { compiledModule } from '../../core/root.ts';
import { journalPath } from '../../core/lake/judgements.ts';
import type { Judgement } from '../../core/records/index.ts';
import { findBrowser } from '../../crawlers/web/browser-path.ts';

/** The system's Chromium, or null: the tests that need it then say that they are skipped. */
export const chromium = findBrowser();
if (!chromium) console.warn('skipped: no Chromium on this machine');

let browser: Promise<Browser> | undefined;
afterAll(async () => (await browser)?.close());

/** A fresh browser profile. */
export async function profile(options: Parameters<Browser['newContext']>[0] = {}): Promise<BrowserContext> {
  browser ??= import('playwright-core').then(({ chromium: launcher }) =>
    launcher.launch({ executablePath: chromium!, chromiumSandbox: process.getuid?.() !== 0 }),
  );
  const context = await (await browser).newContext({ viewport: { width: 1280, height: 860 }, ...options });
  context.setDefaultTimeout(15_000);
  onTestFinished(() => context.close());
  return context;
}

export interface Served {
  url: string;
  port: number;
  /** kill -9. */
  kill(): Promise<void>;
}

/** A folder that goes when the test ends. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'garner-page-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export const candidatesFile = (folder: string, lines: readonly object[]): string => {
  const path = join(folder, 'candidates.jsonl');
  writeFileSync(path, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  return path;
};

/** `garner rank …` in a process of its own. */
export async function serveRank(folder: string, args: readonly string[], port = 0): Promise<Served> {
  const start = `const { main } = await import(${JSON.stringify(compiledModule('cli/main'))}); process.exitCode = await main(process.argv.slice(1));`;
  const child: ChildProcess = spawn(
    process.execPath,
    [
      '--input-type=module',
      '-e',
      start,
      '--',
      'rank',
      ...args,
      '--lake',
      join(folder, 'lake'),
      '--port',
      String(port),
      '--judge',
      'ann',
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const ended = once(child, 'exit');
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  let [out, err] = ['', ''];
  child.stderr!.on('data', (chunk: Buffer) => (err += chunk.toString()));
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout!.on('data', (chunk: Buffer) => {
      out += chunk.toString();
      const found = /http:\S+/.exec(out);
      if (found) resolve(found[0]);
    });
    void ended.then(() => reject(new Error(`garner rank ended: ${err}`)));
  });
  return {
    url,
    port: Number(new URL(url).port),
    async kill() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

/** The lines of the journal. */
export const journal = (folder: string): Judgement[] => {
  const path = journalPath(join(folder, 'lake'));
  return (existsSync(path) ? readFileSync(path, 'utf8') : '')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Judgement);
};

/** Opens the link; everything that goes wrong on the page is in `faults`. */
export async function openPage(context: BrowserContext, url: string): Promise<{ page: Page; faults: string[] }> {
  const page = await context.newPage();
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(error.message));
  page.on('console', (message) => {
    // a server that was killed is what some tests are about
    const killed = /ERR_(CONNECTION_(REFUSED|RESET)|EMPTY_RESPONSE)/.test(message.text());
    if (message.type() === 'error' && !killed) faults.push(message.text());
  });
  page.on('dialog', (dialog) => {
    faults.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  await page.goto(url);
  await page.waitForSelector('answer-card');
  return { page, faults };
}

/** What a judge sees: the prompt, and the answers in their order. */
export const seen = async (page: Page): Promise<{ prompt: string; answers: string[] }> => ({
  prompt: (await page.locator('.turns .text').allTextContents()).join('\n'),
  answers: await page.locator('answer-card .text').allTextContents(),
});

const ENDED = /Thank you|Nothing is left|Waiting for the server|does not answer/;

/** Waits until something else is asked than `prompt`, or the page says why nothing is. (Its CSP lets nobody wait inside it.) */
export async function nextTask(page: Page, prompt = ''): Promise<void> {
  for (let tries = 0; tries < 300; tries++) {
    if (await page.locator('.waiting').isVisible()) {
      if (ENDED.test((await page.locator('.waiting').textContent()) ?? '')) return;
    } else if ((await page.locator('.work').isVisible()) && (await seen(page)).prompt !== prompt) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`still at "${prompt}"`);
}

/** Waits until the journal has so many lines. */
export async function written(folder: string, lines: number): Promise<Judgement[]> {
  for (let tries = 0; tries < 300; tries++) {
    const found = journal(folder);
    if (found.length >= lines) return found;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`the journal has ${journal(folder).length} lines, ${lines} were expected`);
}

/** Lines of a candidates file: sums, a right and a wrong answer to each, by two runs that nobody may see. */
export const pairs = (n: number): object[] =>
  Array.from({ length: n }, (_, i) => ({
    id: `p${i}`,
    prompt: `What is ${i} + ${i}?`,
    candidates: [
      { answer: `It is ${2 * i}.`, run: 'secret-run-one', checkpoint: 'secret-1', sampling: { seed: 1 } },
      { answer: `It is ${2 * i + 1}.`, run: 'secret-run-two', checkpoint: 'secret-2', sampling: { seed: 2 } },
    ],
  }));
