import { request } from 'node:http';
import { lookup } from 'node:dns';
import { expect, test } from 'vitest';
import { createGuard, isPublicAddress } from '../../../crawlers/web/address.ts';
import { openGuardProxy } from '../../../crawlers/web/guard-proxy.ts';
import { openLane } from '../../../crawlers/web/wire.ts';
import { cleanUp, page, start } from './site.ts';

cleanUp();

test.each([
  '0.0.0.0',
  '10.1.2.3',
  '100.64.0.1',
  '127.0.0.1',
  '127.255.255.255',
  '169.254.169.254',
  '172.16.0.1',
  '172.31.255.255',
  '192.0.0.192',
  '192.168.1.1',
  '198.18.0.1',
  '203.0.113.9',
  '224.0.0.1',
  '255.255.255.255',
  '168.63.129.16',
  '::',
  '::1',
  '::ffff:127.0.0.1',
  '::ffff:7f00:1',
  '::127.0.0.1',
  '64:ff9b::10.0.0.1',
  '64:ff9b:1::1',
  '100::1',
  'fe80::1%eth0',
  'fc00::1',
  'fd00:ec2::254',
  'fec0::1',
  'ff02::1',
  '2001:db8::1',
  '2001::1',
  '2002:7f00:1::',
  '3fff::1',
  'nonsense',
  '',
])('%s is not public', (address) => expect(isPublicAddress(address)).toBe(false));

test.each([
  '1.1.1.1',
  '8.8.8.8',
  '93.184.216.34',
  '172.32.0.1',
  '100.128.0.1',
  '2606:4700::1111',
  '2a00:1450:4001::1',
  '::ffff:8.8.8.8',
  '64:ff9b::8.8.8.8',
])('%s is public', (address) => expect(isPublicAddress(address)).toBe(true));

test.each([
  ['http://2130706433/', 'address'],
  ['http://0177.0.0.1/', 'address'],
  ['http://0x7f.1/', 'address'],
  ['http://127.1/', 'address'],
  ['http://127。0。0。1/', 'address'],
  ['http://localhost./', 'address'],
  ['http://a.localhost/', 'address'],
  ['http://metadata.google.internal/', 'address'],
  ['http://router/', 'address'],
  ['http://printer.local/', 'address'],
  ['http://[::1]/', 'address'],
  ['http://[::ffff:10.0.0.1]/', 'address'],
  ['http://example.org:22/', 'port'],
  ['http://example.org:8080/', null],
  ['http://example.org:9999/', null],
  ['https://example.org/', null],
  ['http://10.0.0.5/', null],
  ['http://10.0.0.5:5000/', null],
  ['http://10.0.0.6:7000/', null],
  ['http://10.0.0.6:7001/', 'address'],
  ['file:///etc/passwd', 'scheme'],
])('%s → %s', (url, verdict) => {
  expect(createGuard(['10.0.0.5', '10.0.0.6:7000'], ['9999']).refuses(new URL(url))).toBe(verdict);
});

const resolve = (guard: ReturnType<typeof createGuard>, host: string) =>
  new Promise((done) => guard.lookup('80')(host, { all: true }, (error) => done(error?.code ?? 'fine')));

test('a name is judged by its addresses when it is resolved, also one that looks harmless', async () => {
  const known = await new Promise((done) => lookup('localhost', (e, a) => done(e ? null : a)));
  expect(known).not.toBeNull();
  expect(await resolve(createGuard([]), 'localhost')).toBe('GARNER_ADDRESS');
  expect(await resolve(createGuard(['localhost']), 'localhost')).toBe('fine');
  // A name that passes every look at its text, and resolves to loopback: the wire refuses it.
  const site = await start({ '*': page('inside') });
  const blind = { ...createGuard([]), refuses: () => null };
  const lane = openLane(site.url.replace('127.0.0.1', 'localhost'), blind);
  const limits = { timeoutMs: 2000, maxBytes: 1e6, wanted: () => true };
  expect((await lane.get(new URL('/', site.url), {}, limits)).reason).toBe('address');
  const byNumber = openLane(site.url, blind);
  expect((await byNumber.get(new URL('/', site.url), {}, limits)).reason).toBe('address');
  expect(site.asked).toEqual([]);
  await Promise.all([lane.close(), byNumber.close()]);
});

test("the browser's proxy lets through what the guard does, and nothing else", async () => {
  const site = await start({ '/a': page('a') });
  const ask = (proxy: string, url: string) =>
    new Promise<number | undefined>((done) => {
      const { hostname, port } = new URL(proxy);
      request({ host: hostname, port, path: url }, (r) => done(r.resume().statusCode)).end();
    });
  const tunnel = (proxy: string, to: string) =>
    new Promise<number | undefined>((done) => {
      const { hostname, port } = new URL(proxy);
      const r = request({ host: hostname, port, method: 'CONNECT', path: to });
      r.on('connect', (answer, socket) => {
        socket.destroy();
        done(answer.statusCode);
      });
      r.on('error', () => done(undefined));
      r.end();
    });
  const open = await openGuardProxy(createGuard(['127.0.0.1']));
  const shut = await openGuardProxy(createGuard([]));
  const { host } = new URL(site.url);
  expect(await ask(open.url, `${site.url}/a`)).toBe(200);
  expect(await tunnel(open.url, host)).toBe(200);
  expect(await ask(shut.url, `${site.url}/a`)).toBe(403);
  expect(await tunnel(shut.url, host)).toBe(403);
  expect(await tunnel(shut.url, '169.254.169.254:80')).toBe(403);
  expect(site.asked).toEqual(['/a']);
  await Promise.all([open.close(), shut.close()]);
});
