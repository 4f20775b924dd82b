import { statSync } from 'node:fs';
import { request, type IncomingHttpHeaders } from 'node:http';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { openRanking, type RankingOptions } from '../../studio/rank/open.ts';
import { madeTask, temporaryLake } from './made.ts';

async function serve(over: Partial<RankingOptions> = {}) {
  const lake = over.lake ?? (await temporaryLake());
  const ranking = await openRanking({
    lake,
    tasks: [madeTask('p'), madeTask('q', 4)],
    sample: null,
    overlap: 1,
    seed: 1,
    judge: 'ann',
    guideline: 'Be fair.',
    port: 0,
    ...over,
  });
  onTestFinished(() => ranking.close());
  const url = new URL(ranking.url);
  return { lake, ranking, url, port: Number(url.port), token: url.searchParams.get('token')! };
}

interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
}

/** A request with headers that fetch would not let through. */
const ask = (port: number, path: string, headers: Record<string, string> = {}, method = 'GET', body = '') =>
  new Promise<Answer>((resolve, reject) => {
    const sent = request(
      { agent: false, host: '127.0.0.1', port, path, method, headers: { Host: `127.0.0.1:${port}`, ...headers } },
      (r) => {
        let text = '';
        r.on('data', (chunk: Buffer) => (text += chunk.toString()));
        r.on('end', () => resolve({ status: r.statusCode!, headers: r.headers, text }));
      },
    );
    sent.on('error', reject);
    sent.end(body);
  });

const SESSION = '2f3e5a76-5a3c-4d6e-9b1f-1f0a7c1d2e3f';
const NEXT = JSON.stringify({ session: SESSION, judge: 'ann' });
const cookieOf = async ({ port, token }: { port: number; token: string }) =>
  (await ask(port, `/?token=${token}`)).headers['set-cookie']![0]!.split(';')[0]!;

test('the token becomes a cookie that scripts and other sites never see, and leaves the address bar', async () => {
  const { port, token } = await serve();
  const answer = await ask(port, `/?token=${token}`);
  expect([answer.status, answer.headers.location]).toEqual([303, '/']);
  const [cookie] = answer.headers['set-cookie']!;
  expect(cookie).toMatch(/^garner_studio_\d+=[\w-]{32}; HttpOnly; SameSite=Strict; Path=\/$/);
  expect(cookie).not.toContain(token);
  const page = await ask(port, '/rank', { Cookie: cookie!.split(';')[0]! });
  expect(page.status).toBe(200);
  expect(page.text).not.toContain(token);
});

test('without the cookie, with a wrong token or a wrong cookie nothing is told', async () => {
  const { port } = await serve();
  for (const [path, headers] of [
    ['/rank', {}],
    ['/rank', { Cookie: `garner_studio_${port}=${'x'.repeat(32)}` }],
    ['/rank', { Cookie: `garner_studio_${port}=` }],
    [`/?token=${'x'.repeat(32)}`, {}],
    ['/?token=', {}],
    ['/api/rank/about', {}],
    ['/static/rank.js', {}],
  ] as const) {
    const answer = await ask(port, path, headers);
    expect([path, answer.status, answer.headers['set-cookie']]).toEqual([path, 401, undefined]);
    expect(answer.text).not.toMatch(/question|answer a|Be fair/);
  }
  const posted = await ask(port, '/api/rank/next', { Origin: `http://127.0.0.1:${port}` }, 'POST', NEXT);
  expect(posted.status).toBe(401);
});

test('another name for this machine, another page and no page at all are refused', async () => {
  const server = await serve();
  const { port } = server;
  const Cookie = await cookieOf(server);
  const own = { Cookie, Origin: `http://127.0.0.1:${port}` };
  const post = (headers: Record<string, string>) => ask(port, '/api/rank/next', headers, 'POST', NEXT);
  expect((await post(own)).status).toBe(200);
  expect((await post({ ...own, Host: `localhost:${port}`, Origin: `http://localhost:${port}` })).status).toBe(200);
  for (const headers of [
    { ...own, Host: 'evil.example' },
    { ...own, Host: `evil.example:${port}` },
    { ...own, Host: `127.0.0.1:${port + 1}` },
    { Cookie },
    { Cookie, Origin: 'null' },
    { Cookie, Origin: 'http://evil.example' },
    { Cookie, Origin: `http://localhost:${port}` },
    { Cookie, Origin: `https://127.0.0.1:${port}` },
    { Cookie, Origin: `http://127.0.0.1:${port + 1}` },
    { ...own, 'Sec-Fetch-Site': 'cross-site' },
    { ...own, 'Sec-Fetch-Site': 'same-site' },
  ]) {
    const answer = await post(headers);
    expect([headers, answer.status]).toEqual([headers, 403]);
    expect(answer.headers['access-control-allow-origin']).toBeUndefined();
  }
  expect((await ask(port, '/rank', { Cookie, Host: 'evil.example' })).status).toBe(403);
  expect((await ask(port, '/api/rank/about', { Cookie, Origin: 'http://evil.example' })).status).toBe(403);
  // what a browser says of a script, a picture, a link of another page, and of an address that is typed
  const from = (site: string, mode: string) => ({ Cookie, 'Sec-Fetch-Site': site, 'Sec-Fetch-Mode': mode });
  for (const [site, mode, status] of [
    ['same-site', 'no-cors', 403],
    ['cross-site', 'no-cors', 403],
    ['cross-site', 'navigate', 200],
    ['none', 'navigate', 200],
    ['same-origin', 'cors', 200],
  ] as const)
    expect([site, mode, (await ask(port, '/api/rank/about', from(site, mode))).status]).toEqual([site, mode, status]);
  const asked = await ask(port, '/api/rank/next', { ...own, Origin: 'http://evil.example' }, 'OPTIONS');
  expect([asked.status, asked.headers['access-control-allow-origin']]).toEqual([403, undefined]);
});

test('every answer shuts the page in: no inline script, no frame, no cache, no sniffing', async () => {
  const server = await serve();
  const Cookie = await cookieOf(server);
  for (const path of [
    '/rank',
    '/static/rank.js',
    '/api/rank/about',
    '/nothing',
    '/static/../package.json',
    '/static/%2e%2e%2fserver%2fapp.ts',
  ]) {
    const { headers, status } = await ask(server.port, path, { Cookie });
    expect(headers['content-security-policy']).toContain("default-src 'none'; script-src 'self'; style-src 'self'");
    expect(headers['content-security-policy']).not.toMatch(/unsafe|https?:|\*/);
    expect(headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
      'cache-control': 'no-store',
      'cross-origin-resource-policy': 'same-origin',
    });
    expect([path, status]).toEqual([path, /nothing|\.\.|%2e/.test(path) ? 404 : 200]);
  }
});

test('what the page does not send is refused, and a judgement must fit its task', async () => {
  const server = await serve();
  const own = { Cookie: await cookieOf(server), Origin: `http://127.0.0.1:${server.port}` };
  const post = async (path: string, body: unknown) => {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    return ask(server.port, `/api/rank/${path}`, own, 'POST', text);
  };
  const { task } = JSON.parse((await post('next', NEXT)).text) as {
    task: { id: string; answers: { name: string; text: string }[] };
  };
  expect(JSON.stringify(task)).not.toContain('run-');
  const shown = task.answers.map((a) => a.name);
  const id = () => crypto.randomUUID();
  const good = {
    id: id(),
    session: SESSION,
    judge: 'ann',
    task: task.id,
    verdict: 'ranked',
    order: shown.map((n) => [n]),
    shown,
    retracts: null,
    comment: null,
    ms: 1,
  };
  for (const [body, status] of [
    ['', 400],
    ['[]', 400],
    [{ ...good, id: '1' }, 400],
    [{ ...good, extra: 1 }, 400],
    [{ ...good, judge: ' ' }, 400],
    [{ ...good, comment: 'x'.repeat(20_001) }, 400],
    [{ ...good, task: 'other' }, 404],
    [{ ...good, order: [shown] }, 422],
    [{ ...good, order: [[shown[0]], [shown[0]]] }, 422],
    [{ ...good, order: [[shown[0]], ['run-p-a']] }, 422],
    [{ ...good, shown: [shown[0]] }, 422],
    [{ ...good, verdict: 'tie' }, 422],
    [{ ...good, retracts: id() }, 422],
    [{ ...good, verdict: 'retract' }, 422],
  ] as const)
    expect([body, (await post('judgements', body)).status]).toEqual([body, status]);
  // The server may end the connection before all of it has come.
  const large = await post('judgements', `{"id":"${'x'.repeat(300_000)}"}`).catch(() => ({ status: 413 }));
  expect(large.status).toBe(413);
  expect(server.ranking.progress().judgements).toBe(0);
  expect((await post('judgements', good)).status).toBe(200);
  expect((await post('judgements', good)).status).toBe(200);
  expect((await post('judgements', { ...good, id: id() })).status).toBe(409);
  expect(server.ranking.progress().judgements).toBe(1);
});

test('after a restart the cookie is good still, the old token is not; nobody else can read its secret', async () => {
  const first = await serve();
  const Cookie = await cookieOf(first);
  await first.ranking.close();
  const second = await serve({ lake: first.lake, port: first.port });
  expect((await ask(second.port, '/rank', { Cookie })).status).toBe(200);
  expect((await ask(second.port, `/?token=${first.token}`)).status).toBe(401);
  expect(statSync(join(first.lake, 'judgements', '.studio')).mode & 0o777).toBe(0o600);
});

test('a port in use is one sentence, and frees the journal', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => taken.once('listening', resolve));
  onTestFinished(() => void taken.close());
  const { port } = taken.address() as { port: number };
  const lake = await temporaryLake();
  await expect(serve({ lake, port })).rejects.toThrow(`port ${port} is in use`);
  await serve({ lake });
});

test('it listens on loopback only', async () => {
  const { port } = await serve();
  await expect(
    new Promise((resolve, reject) => {
      request({ host: '127.0.0.2', port }, resolve).on('error', reject).end();
    }),
  ).rejects.toThrow(/ECONNREFUSED/);
});
