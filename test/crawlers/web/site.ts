import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import type { Capture } from '../../../core/records/index.ts';
import { crawl } from '../../../crawlers/web/crawl.ts';
import { crawlSection, type CrawlRecipe } from '../../../crawlers/web/recipe.ts';

export type Answer = (request: IncomingMessage, response: ServerResponse) => void;

export interface Site {
  url: string;
  /** Requests by path, in order. */
  asked: string[];
  /** Most requests that were open at one time. */
  atOnce: number;
  /** When each request came [ms]. */
  times: number[];
  /** Called with each request, before it is answered. */
  onRequest: () => void;
  close(): Promise<void>;
}

/** A server on loopback with one answer a path; `*` answers the others, else they are 404. */
export async function serve(answers: Record<string, Answer | string>): Promise<Site> {
  const site: Site = { url: '', asked: [], atOnce: 0, times: [], onRequest() {}, close: () => Promise.resolve() };
  let open = 0;
  const server: Server = createServer((request, response) => {
    site.asked.push(request.url!);
    site.times.push(Date.now());
    site.onRequest();
    site.atOnce = Math.max(site.atOnce, ++open);
    response.on('close', () => open--);
    const answer = answers[request.url!] ?? answers['*'];
    if (answer === undefined) response.writeHead(404, { 'Content-Type': 'text/plain' }).end('no');
    else if (typeof answer === 'string')
      response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8' }).end(answer);
    else answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  site.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  site.close = () =>
    new Promise((resolve) => {
      server.closeAllConnections();
      server.close(() => resolve());
    });
  return site;
}

/** A page with enough text to need no browser, and links. */
export const page = (title: string, ...links: string[]): string =>
  `<!doctype html><html><head><title>${title}</title></head><body><p>${`${title} is about something. `.repeat(20)}</p>${links
    .map((l) => `<a href="${l}">${l}</a>`)
    .join(' ')}</body></html>`;

/** A recipe for a test site: no pause, loopback allowed. */
export const recipeFor = (site: Site, more: Record<string, unknown> = {}): CrawlRecipe =>
  crawlSection.parse({
    seeds: [`${site.url}/`],
    allow: ['127.0.0.1'],
    delay: 0,
    browser: 'never',
    retries: 0,
    ...more,
  });

const folders: string[] = [];
const sites: Site[] = [];
/** Stops every site and removes every folder after each test. */
export const cleanUp = () =>
  afterEach(async () => {
    for (const f of folders.splice(0)) rmSync(f, { recursive: true, force: true });
    for (const s of sites.splice(0)) await s.close();
  });

/** Serves a site until the test ends. */
export const start = async (answers: Parameters<typeof serve>[0]) => {
  const site = await serve(answers);
  sites.push(site);
  return site;
};

/** Crawls into a folder of its own. */
export async function run(recipe: CrawlRecipe, chromium: string | null = null) {
  const notices: string[] = [];
  const folder = mkdtempSync(join(tmpdir(), 'garner-crawl-'));
  folders.push(folder);
  for (const f of ['warc', 'scratch']) mkdirSync(join(folder, f));
  const result = await crawl({
    recipe,
    warcFolder: join(folder, 'warc'),
    warcFolderInRows: 'warc',
    scratch: join(folder, 'scratch'),
    chromium,
    notice: (text) => notices.push(text),
    progress() {},
  });
  return { folder, notices, ...result };
}

/** Rows by path: outcome, with the reason after a colon where there is one. */
export const verdicts = (site: Site, rows: Capture[]) =>
  Object.fromEntries(
    rows.map((r) => [r.url.replace(site.url, ''), r.reason ? `${r.outcome}: ${r.reason}` : r.outcome]),
  );
