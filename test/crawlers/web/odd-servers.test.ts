import { createServer, type Server, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { createGuard } from '../../../crawlers/web/address.ts';
import { createHosts } from '../../../crawlers/web/hosts.ts';
import { openLane } from '../../../crawlers/web/wire.ts';
import { cleanUp, page, recipeFor, run, start, verdicts } from './site.ts';

cleanUp();
const servers: Server[] = [];
afterEach(() => {
  for (const s of servers.splice(0)) s.close();
});

/** A server that answers each request with these bytes, and then hangs up or not. */
async function raw(answer: string, hangUp: boolean): Promise<string> {
  const server = createServer((socket: Socket) => {
    socket.on('error', () => {});
    socket.on('data', () => (hangUp ? socket.end(answer, 'latin1') : socket.write(answer, 'latin1')));
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const html = 'Content-Type: text/html\r\n';
test.each([
  [
    'an answer of HTTP/1.0 that ends with the connection',
    `HTTP/1.0 200 OK\r\n${html}\r\n<p>x`,
    true,
    ['complete', null, 200],
  ],
  [
    'early hints before the answer',
    `HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 200 OK\r\n${html}Content-Length: 1\r\n\r\nx`,
    false,
    ['complete', null, 200],
  ],
  ['no HTTP at all', 'SSH-2.0-OpenSSH_9\r\n', false, ['failed', 'protocol', null]],
  ['an endless header', `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(200_000)}`, false, ['failed', 'protocol', 200]],
  [
    'a length that is none',
    `HTTP/1.1 200 OK\r\n${html}Content-Length: x\r\n\r\nabc`,
    true,
    ['failed', 'protocol', 200],
  ],
  [
    'length and chunks at once',
    `HTTP/1.1 200 OK\r\n${html}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n`,
    false,
    ['failed', 'protocol', 200],
  ],
  ['silence', '', true, ['failed', 'disconnect', null]],
  [
    'a body that is shorter than it says',
    `HTTP/1.1 200 OK\r\n${html}Content-Length: 50\r\n\r\nabc`,
    true,
    ['disconnect', 'disconnect', 200],
  ],
  [
    'chunks that are cut',
    `HTTP/1.1 200 OK\r\n${html}Transfer-Encoding: chunked\r\n\r\n5\r\nab`,
    true,
    ['disconnect', 'disconnect', 200],
  ],
] as const)('%s', async (_name, answer, hangUp, expected) => {
  const origin = await raw(answer, hangUp);
  const lane = openLane(origin, createGuard(['127.0.0.1']));
  const got = await lane.get(
    new URL(origin),
    { 'User-Agent': 'test' },
    { timeoutMs: 3000, maxBytes: 1e6, wanted: () => true },
  );
  await lane.close();
  const [ending, reason, status] = expected;
  expect([got.reason, got.head?.status ?? null]).toEqual([reason, status]);
  expect(got.ending).toBe(ending);
});

test('a site that is gone is not knocked at for ever', async () => {
  const links = Array.from({ length: 30 }, (_, i) => `/${i}`);
  const site = await start({
    '/': page('home', ...links),
    '*': (q, r) => void (q.url === '/robots.txt' ? r.writeHead(404).end() : r.destroy()),
  });
  const { rows } = await run(recipeFor(site, { sitemaps: false }));
  const reasons = Object.values(verdicts(site, rows)).filter((v) => v.startsWith('failed'));
  expect(reasons.filter((r) => r === 'failed: host_down').length).toBe(25);
  expect(reasons.filter((r) => r === 'failed: disconnect').length).toBe(5);
});

test('hosts take turns, rest, and come back first after a retry', () => {
  const hosts = createHosts<{ url: string; site: string }>(1);
  for (const [site, url] of [
    ['a', '1'],
    ['a', '2'],
    ['b', '3'],
    ['a', '4'],
  ] as const)
    hosts.add({ site, url });
  const first = hosts.take(0)!;
  const second = hosts.take(0)!;
  expect([first.entry.url, second.entry.url, hosts.take(0)]).toEqual(['1', '3', null]);
  hosts.done(first.entry, first.lane, 0, 100, true);
  expect(hosts.ready(99)).toBe(false);
  expect(hosts.take(100)!.entry.url).toBe('1');
  hosts.done(second.entry, second.lane, 0, 0, false);
  hosts.done(first.entry, 0, 100, 0, false);
  expect([hosts.take(100)!.entry.url, hosts.open]).toEqual(['2', 2]);
  expect(hosts.drop('a').map((e) => e.url)).toEqual(['4']);
  expect(hosts.open).toBe(1);
});
