import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { compiledModule } from '../../../core/root.ts';

const folder = mkdtempSync(join(tmpdir(), 'garner-tls-'));
const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
let made = true;
try {
  const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'];
  execFileSync(
    'openssl',
    ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-keyout', key, '-out', cert, ...subject],
    { stdio: 'ignore' },
  );
} catch {
  made = false;
  console.warn('skipped: no openssl to make a certificate with');
}

/** One exchange in a process of its own, since trusted certificates are read when a process starts. */
const exchange = (url: string, trusted: boolean) =>
  new Promise<{ ending: string; reason: string | null; request: string; response: string }>((resolve) => {
    const script = `
      const { openLane } = await import(${JSON.stringify(compiledModule('crawlers/web/wire'))});
      const { createGuard } = await import(${JSON.stringify(compiledModule('crawlers/web/address'))});
      const lane = openLane(${JSON.stringify(url)}, createGuard(['127.0.0.1']));
      const limits = { timeoutMs: 5000, maxBytes: 1e6, wanted: () => true };
      let got;
      for (let i = 0; i < 2; i++) got = await lane.get(new URL('/x', ${JSON.stringify(url)}), { 'User-Agent': 'test' }, limits);
      await lane.close();
      process.stdout.write(JSON.stringify({ ...got, request: String(got.request), response: String(got.response) }));`;
    const env = { ...process.env, ...(trusted ? { NODE_EXTRA_CA_CERTS: cert } : {}) };
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let out = '';
    child.stdout.on('data', (d: Buffer) => (out += d.toString()));
    child.on('close', () => resolve(JSON.parse(out) as never));
  });

test.skipIf(!made)(
  'over TLS the bytes below it are kept; a certificate that nobody vouches for is refused',
  async () => {
    const server = createServer({ key: readFileSync(key), cert: readFileSync(cert) }, (_request, response) => {
      response.sendDate = false;
      response.writeHead(200, { 'X-CaSe': 'kept', 'Content-Length': 5 }).end('hello');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const [trusted, refused] = await Promise.all([exchange(url, true), exchange(url, false)]);
    server.close();
    rmSync(folder, { recursive: true });
    expect(trusted).toMatchObject({ ending: 'complete', reason: null });
    expect(trusted.request).toMatch(/^GET \/x HTTP\/1\.1\r\n/);
    expect(trusted.response).toMatch(/^HTTP\/1\.1 200 OK\r\nX-CaSe: kept\r\n(?:.*\r\n)*\r\nhello$/);
    expect(refused).toMatchObject({ ending: 'failed', reason: 'tls', response: '' });
  },
);
