import type { Browser as Chromium, BrowserContext } from 'playwright-core';
import type { Guard } from './address.ts';
import { openGuardProxy, type GuardProxy } from './guard-proxy.ts';

/** A page as a browser left it. */
export type Rendered = { html: string; at: number } | { failed: string };

export interface Browser {
  /**
   * Opens a page and gives its HTML once it is quiet; null where this machine has no browser that starts. `may`: what the
   * page may load beside itself. Failures: timeout, size, redirect, browser.
   */
  render(url: string, may: (url: string) => boolean): Promise<Rendered | null>;
  close(): Promise<void>;
}

/** No browser: pages that need one are left as they are. */
export const noBrowser: Browser = { render: () => Promise.resolve(null), close: () => Promise.resolve() };

export interface BrowserOptions {
  /** Path of a Chromium. */
  executable: string;
  guard: Guard;
  userAgent: string;
  /** For a page in all [ms]. */
  timeoutMs: number;
  /** Largest HTML [bytes]. */
  maxBytes: number;
  /** Told once, where the browser cannot be started. */
  notice: (text: string) => void;
}

const MOST_REQUESTS = 100;
/** Quiet: no request under way for half a second, as Playwright counts; no longer waited for than this [ms]. */
const QUIET_MS = 3000;
const NEEDED = new Set(['document', 'script', 'xhr', 'fetch', 'stylesheet']);

const FLAGS = [
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-quic',
  '--disable-domain-reliability',
  '--disable-breakpad',
  '--no-first-run',
  '--no-pings',
  '--webrtc-ip-handling-policy=disable_non_proxied_udp',
  '--force-webrtc-ip-handling-policy',
  // No name is resolved by the browser itself: what does not go through the proxy fails.
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
];

/** A Chromium that is started with the first page that needs it. All its connections go through the address guard; one page at a time. */
export function openBrowser(o: BrowserOptions): Browser {
  let started: Promise<{ chromium: Chromium; proxy: GuardProxy } | null> | undefined;
  let turn: Promise<unknown> = Promise.resolve();

  const start = async () => {
    const proxy = await openGuardProxy(o.guard);
    try {
      const { chromium } = await import('playwright-core');
      const browser = await chromium.launch({
        executablePath: o.executable,
        headless: true,
        args: FLAGS,
        // Chromium's own sandbox cannot be set up by root, as in most containers.
        chromiumSandbox: process.getuid?.() !== 0,
        proxy: { server: proxy.url, bypass: '<-loopback>' },
        handleSIGINT: false,
        handleSIGTERM: false,
        handleSIGHUP: false,
        timeout: 30_000,
      });
      return { chromium: browser, proxy };
    } catch (error) {
      await proxy.close();
      o.notice(`${o.executable} does not start: ${(error as Error).message.split('\n')[0]}`);
      return null;
    }
  };

  const open = async (context: BrowserContext, url: string, may: (url: string) => boolean): Promise<Rendered> => {
    const page = await context.newPage();
    let requests = 0;
    await page.route('**/*', (route) => {
      const request = route.request();
      const target = URL.canParse(request.url()) ? new URL(request.url()) : null;
      const fine =
        target !== null &&
        ++requests <= MOST_REQUESTS &&
        NEEDED.has(request.resourceType()) &&
        request.method() !== 'PUT' &&
        request.method() !== 'DELETE' &&
        o.guard.refuses(target) === null &&
        (request.url() === url || may(request.url()));
      return fine ? route.continue() : route.abort('blockedbyclient');
    });
    await page.goto(url, { waitUntil: 'load', timeout: o.timeoutMs });
    await page.waitForLoadState('networkidle', { timeout: QUIET_MS }).catch(() => {});
    if (new URL(page.url()).origin !== new URL(url).origin) return { failed: 'redirect' };
    const html = await page.content();
    return Buffer.byteLength(html) > o.maxBytes ? { failed: 'size' } : { html, at: Date.now() };
  };

  const render = async (url: string, may: (url: string) => boolean): Promise<Rendered | null> => {
    const running = await (started ??= start());
    if (!running) return null;
    const context = await running.chromium.newContext({
      userAgent: o.userAgent,
      serviceWorkers: 'block',
      acceptDownloads: false,
      javaScriptEnabled: true,
    });
    // A page whose scripts never rest cannot be asked for its content: the context is closed under it.
    let late: NodeJS.Timeout | undefined;
    const limit = new Promise<Rendered>((resolve) => {
      late = setTimeout(() => resolve({ failed: 'timeout' }), o.timeoutMs + QUIET_MS);
    });
    try {
      const work = open(context, url, may).catch((error: unknown): Rendered => ({
        failed: /timeout/i.test(String(error)) ? 'timeout' : 'browser',
      }));
      return await Promise.race([work, limit]);
    } finally {
      clearTimeout(late);
      await context.close().catch(() => {});
    }
  };

  return {
    render(url, may) {
      const mine = turn.then(() => render(url, may));
      turn = mine.catch(() => {});
      return mine;
    },
    async close() {
      const running = await started;
      await running?.chromium.close().catch(() => {});
      await running?.proxy.close();
    },
  };
}
