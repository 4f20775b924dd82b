import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { serveSite, type SampleServer } from '../../examples/sample-site/server.ts';
import { buildSite } from '../../examples/sample-site/site.ts';
import { LARGE } from '../../examples/sample-site/traps.ts';

const site = buildSite(1);
let server: SampleServer;
beforeAll(async () => {
  server = await serveSite(site);
});
afterAll(() => server.close());

const get = (path: string, init: RequestInit = {}) => fetch(new URL(path, server.url), { redirect: 'manual', ...init });

test('pages are served with their type, without a date, and every request is counted', async () => {
  const before = server.hits.get('/wenku/') ?? 0;
  const answer = await get('/wenku/');
  expect(answer.status).toBe(200);
  expect(answer.headers.get('content-type')).toBe('text/html; charset=utf-8');
  expect(answer.headers.get('date')).toBeNull();
  expect(await answer.text()).toContain('<html lang="zh-CN">');
  await get('/wenku/', { method: 'HEAD' });
  expect(server.hits.get('/wenku/')).toBe(before + 2);
  expect((await get('/no/such/page')).status).toBe(404);
});

test('traps answer as the manifest expects', async () => {
  const status = async (path: string) => {
    const answer = await get(path);
    await answer.body?.cancel();
    return [answer.status, answer.headers.get('location')];
  };
  expect(await status('/old/2')).toEqual([302, '/old/3']);
  expect(await status('/old/3')).toEqual([307, expect.stringMatching(/^\/wenku\//)]);
  expect(await status('/loop/a')).toEqual([302, '/loop/b']);
  expect(await status('/loop/b')).toEqual([302, '/loop/a']);
  expect(await status('/missing.html')).toEqual([404, null]);
  expect(await status('/broken.html')).toEqual([500, null]);
});

test('the calendar leads to the next day, over the ends of months and years', async () => {
  const next = async (day: string) => /href="(\/calendar\/[^"]+)"/.exec(await (await get(day)).text())?.[1];
  expect(await next('/calendar/2026/11/24')).toBe('/calendar/2026/11/25');
  expect(await next('/calendar/2027/12/31')).toBe('/calendar/2028/01/01');
  expect(await next('/calendar/2028/02/28')).toBe('/calendar/2028/02/29');
});

test('the large page has 20 MB, and the slow one goes on byte by byte', async () => {
  let bytes = 0;
  for await (const chunk of (await get('/large/log.html')).body!) bytes += (chunk as Uint8Array).length;
  expect(bytes).toBeGreaterThanOrEqual(LARGE);
  const stop = new AbortController();
  const slow = await get('/slow/drip.html', { signal: stop.signal });
  const reader = slow.body!.getReader();
  const first = await reader.read();
  const started = performance.now();
  const second = await reader.read();
  expect(first.done || second.done).toBe(false);
  expect(second.value).toHaveLength(1);
  expect(performance.now() - started).toBeGreaterThan(500);
  stop.abort();
});

test('a port in use is said in one sentence, or another is taken', async () => {
  const holder = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => holder.once('listening', resolve));
  const { port } = holder.address() as AddressInfo;
  await expect(serveSite(site, { port })).rejects.toThrow(/port .*in use/);
  const other = await serveSite(site, { port, orFree: true });
  expect(other.port).not.toBe(port);
  await other.close();
  holder.close();
  const wished = await serveSite(site, { port: other.port });
  expect(wished.port).toBe(other.port);
  await wished.close();
});
