import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import OpenAI from 'openai';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openSampler } from '../../../trainer/sample/sampler.ts';
import { openServer, type Server } from '../../../trainer/serve/server.ts';
import { toyModel } from '../toy-model.ts';

const folder = mkdtempSync(join(tmpdir(), 'garner-serve-'));
const checkpoint = join(folder, 'toy');
const endless = join(folder, 'endless');
let server: Server;
let slow: Server;
let client: OpenAI;
const open = (path: string, over: object = {}) =>
  openServer({ checkpoint: path, name: 'toy', port: 0, key: null, queue: 4, threads: 1, ...over });

beforeAll(async () => {
  await toyModel(checkpoint);
  await toyModel(endless, { endless: true, context: 8192 });
  [server, slow] = await Promise.all([open(checkpoint), open(endless, { queue: 2 })]);
  client = new OpenAI({ baseURL: server.url, apiKey: 'none', maxRetries: 0 });
});
afterAll(async () => {
  await Promise.all([server.close(), slow.close()]);
  rmSync(folder, { recursive: true, force: true });
});

const messages = [{ role: 'user', content: 'Hello' }] as const;
const ask = (over: object = {}) => ({ model: 'toy', messages: [...messages], max_tokens: 40, seed: 1, ...over });
const post = (body: unknown, headers: Record<string, string> = {}, url = server.url) =>
  fetch(`${url}/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
const errorOf = async (response: Response) => ({
  status: response.status,
  ...(
    (await response.json()) as { error: { message: string; type: string; param: string | null; code: string | null } }
  ).error,
});

test('models, and an answer with usage', async () => {
  const models = await client.models.list();
  expect(models.data.map((m) => [m.id, m.object, m.owned_by])).toEqual([['toy', 'model', 'garner']]);
  expect((await client.models.retrieve('toy')).id).toBe('toy');
  const answer = await client.chat.completions.create(ask());
  expect(answer.object).toBe('chat.completion');
  const [choice] = answer.choices;
  expect(choice!.message).toMatchObject({ role: 'assistant', refusal: null });
  expect(['stop', 'length']).toContain(choice!.finish_reason);
  const sampler = openSampler(checkpoint, { threads: 1 });
  const prompt = sampler.chat!.prompt([...messages]);
  let text = '';
  const pieces = sampler.stream(prompt, { tokens: 40, temperature: 1, topK: 0, topP: 1, seed: 1, sequence: 0 });
  let next = await pieces.next();
  for (; !next.done; next = await pieces.next()) text += next.value;
  // the same seed writes what the sampler writes alone
  expect(choice!.message.content).toBe(text);
  expect(answer.usage).toEqual({
    prompt_tokens: prompt.length,
    completion_tokens: next.value.tokens,
    total_tokens: prompt.length + next.value.tokens,
  });
  sampler.close();
});

test('a stream is the same text, ends with its reason, usage where asked for, and [DONE]', async () => {
  for (const over of [{}, { n: 3 }, { stop: ['e'] }, { temperature: 0 }]) {
    const whole = await client.chat.completions.create(ask(over));
    const texts: string[] = whole.choices.map(() => '');
    const reasons: unknown[] = [];
    let usage: unknown;
    const stream = await client.chat.completions.create({
      ...ask(over),
      stream: true,
      stream_options: { include_usage: true },
    });
    for await (const chunk of stream) {
      for (const { index, delta, finish_reason } of chunk.choices) {
        texts[index] += delta.content ?? '';
        if (finish_reason) reasons[index] = finish_reason;
      }
      if (chunk.usage) {
        expect(chunk.choices).toEqual([]);
        usage = chunk.usage;
      }
    }
    expect(texts).toEqual(whole.choices.map((c) => c.message.content));
    expect(reasons).toEqual(whole.choices.map((c) => c.finish_reason));
    expect(usage).toEqual(whole.usage);
  }
  const raw = await (await post({ ...ask(), stream: true })).text();
  expect(raw.endsWith('data: [DONE]\n\n')).toBe(true);
  expect(raw).not.toContain('"usage"');
});

test('n answers differ, a seed repeats them, and none is sent half a character', async () => {
  const of = (seed: number | undefined) => client.chat.completions.create(ask({ n: 4, seed, max_tokens: 100 }));
  const [a, b, c] = [await of(7), await of(7), await of(8)];
  const texts = (x: typeof a) => x.choices.map((choice) => choice.message.content!);
  expect(texts(a)).toEqual(texts(b));
  expect(texts(c)).not.toEqual(texts(a));
  expect(new Set(texts(a)).size).toBe(4);
  expect(texts(await of(undefined))).not.toEqual(texts(await of(undefined)));
  const stream = await client.chat.completions.create({ ...ask({ max_tokens: 200 }), stream: true });
  let joined = '';
  for await (const chunk of stream) {
    const piece = chunk.choices[0]?.delta.content ?? '';
    expect(piece.isWellFormed()).toBe(true);
    joined += piece;
  }
  expect(joined).toBe((await client.chat.completions.create(ask({ max_tokens: 200 }))).choices[0]!.message.content);
});

test('stop texts are met across the borders of tokens, and are no part of the answer', async () => {
  const text = (await client.chat.completions.create(ask())).choices[0]!.message.content!;
  expect(text.length).toBeGreaterThan(30);
  for (let at = 3; at < 25; at += 3) {
    const stop = text.slice(at, at + 4);
    for (const stops of [stop, ['never seen', stop]]) {
      const [choice] = (await client.chat.completions.create(ask({ stop: stops }))).choices;
      expect(choice!.message.content).toBe(text.slice(0, text.indexOf(stop)));
      expect(choice!.finish_reason).toBe('stop');
    }
  }
});

test('log-probabilities: of each token and its likeliest rivals, in streams too', async () => {
  const answer = await client.chat.completions.create(ask({ temperature: 0, logprobs: true, top_logprobs: 3 }));
  const [choice] = answer.choices;
  const content = choice!.logprobs!.content!;
  expect(content).toHaveLength(answer.usage!.completion_tokens);
  expect(Buffer.from(content.flatMap((t) => t.bytes!)).toString()).toContain(choice!.message.content);
  for (const { token, logprob, top_logprobs: top } of content) {
    expect(logprob).toBeLessThanOrEqual(0);
    expect(top.map((t) => t.logprob)).toEqual(top.map((t) => t.logprob).toSorted((a, b) => b - a));
    // at temperature 0 the likeliest that may be written
    expect(top.some((t) => t.token === token && t.logprob === logprob) || top[0]!.logprob > logprob).toBe(true);
  }
  const stream = await client.chat.completions.create({
    ...ask({ temperature: 0, logprobs: true, top_logprobs: 3 }),
    stream: true,
  });
  const streamed = [];
  for await (const chunk of stream) streamed.push(...(chunk.choices[0]?.logprobs?.content ?? []));
  expect(streamed).toEqual(content);
  expect((await client.chat.completions.create(ask())).choices[0]!.logprobs).toBe(null);
});

test('tokens: max_tokens and max_completion_tokens end with "length"; without them the context does', async () => {
  const busy = new OpenAI({ baseURL: slow.url, apiKey: 'none' });
  for (const over of [{ max_tokens: 5 }, { max_tokens: undefined, max_completion_tokens: 5 }]) {
    const answer = await busy.chat.completions.create(ask(over));
    expect([answer.usage!.completion_tokens, answer.choices[0]!.finish_reason]).toEqual([5, 'length']);
  }
  const raw = (await (await post(ask({ max_tokens: null }))).json()) as { usage: { total_tokens: number } };
  expect(raw.usage.total_tokens).toBeLessThanOrEqual(257);
});

const bad: [string, unknown, number, string | null, string | null][] = [
  ['no JSON', '{"model":', 400, 'invalid_json', null],
  ['no object', '[]', 400, null, null],
  ['no model', { messages }, 400, 'missing_required_parameter', 'model'],
  ['no messages', { model: 'toy' }, 400, 'missing_required_parameter', 'messages'],
  ['empty messages', ask({ messages: [] }), 400, 'invalid_value', 'messages'],
  ['another model', ask({ model: 'gpt-4o' }), 404, 'model_not_found', 'model'],
  ['an unknown field', ask({ top_k: 3 }), 400, 'unknown_parameter', 'top_k'],
  [
    'an unknown field inside',
    ask({ messages: [{ role: 'user', content: 'a', mood: 1 }] }),
    400,
    'unknown_parameter',
    'messages[0].mood',
  ],
  ['a wrong type', ask({ temperature: 'hot' }), 400, 'invalid_type', 'temperature'],
  [
    'a wrong type inside',
    ask({ messages: [{ role: 'user', content: 5 }] }),
    400,
    'invalid_type',
    'messages[0].content',
  ],
  ['an unknown role', ask({ messages: [{ role: 'robot', content: 'a' }] }), 400, 'unknown_role', 'messages[0].role'],
  [
    'calls of tools',
    ask({ messages: [{ role: 'tool', content: 'a', tool_call_id: 'x' }] }),
    400,
    'template_has_no_tools',
    'messages[0].role',
  ],
  ['tools', ask({ tools: [{ type: 'function' }] }), 400, 'invalid_value', 'tools'],
  ['no content', ask({ messages: [{ role: 'user' }] }), 400, 'no_content', 'messages[0].content'],
  ['too hot', ask({ temperature: 2.5 }), 400, 'invalid_value', 'temperature'],
  ['a share above 1', ask({ top_p: 1.5 }), 400, 'invalid_value', 'top_p'],
  ['no tokens', ask({ max_tokens: 0 }), 400, 'invalid_value', 'max_tokens'],
  ['half a token', ask({ max_tokens: 1.5 }), 400, 'invalid_type', 'max_tokens'],
  ['five stop texts', ask({ stop: ['a', 'b', 'c', 'd', 'e'] }), 400, 'invalid_type', 'stop'],
  ['an empty stop text', ask({ stop: '' }), 400, 'invalid_value', 'stop'],
  ['rivals without log-probabilities', ask({ top_logprobs: 2 }), 400, 'invalid_value', 'top_logprobs'],
  ['more answers than places', ask({ n: 100 }), 400, 'invalid_value', 'n'],
  ['more tokens than the context', ask({ max_tokens: 10_000 }), 400, 'context_length_exceeded', 'max_tokens'],
  [
    'a longer talk than the context',
    ask({ messages: [{ role: 'user', content: 'no '.repeat(2000) }] }),
    400,
    'context_length_exceeded',
    'messages',
  ],
  [
    'a talk that is certainly longer than the context',
    ask({ messages: [{ role: 'user', content: 'no '.repeat(600_000) }] }),
    400,
    'context_length_exceeded',
    'messages',
  ],
];
test.each(bad)('%s is one of OpenAI’s errors', async (_name, body, status, code, param) => {
  const error = await errorOf(await post(body));
  expect(error).toMatchObject({ status, code, param, type: 'invalid_request_error' });
  expect(error.message.length).toBeGreaterThan(10);
  // and the client makes its own class of it
  if (typeof body !== 'object' || Array.isArray(body)) return;
  const thrown = await client.chat.completions.create(body as never).catch((e: unknown) => e);
  expect(thrown).toBeInstanceOf(status === 404 ? OpenAI.NotFoundError : OpenAI.BadRequestError);
});

test('what other clients send and what changes nothing is taken', async () => {
  const answer = await post({
    ...ask(),
    messages: [
      {
        role: 'developer',
        content: [
          { type: 'text', text: 'Be ' },
          { type: 'text', text: 'kind.' },
        ],
      },
      { role: 'user', content: 'Hi', name: 'Ann' },
      { role: 'assistant', content: 'Hello.', refusal: null, annotations: [], tool_calls: [] },
      { role: 'user', content: 'And?' },
    ],
    presence_penalty: 0,
    frequency_penalty: 0,
    logit_bias: {},
    response_format: { type: 'text' },
    user: 'ann',
    stop: null,
    n: null,
    stream: false,
  });
  expect(answer.status).toBe(200);
});

test('other paths, methods, hosts, origins; a key', async () => {
  expect(await errorOf(await fetch(`${server.url}/nothing`))).toMatchObject({ status: 404, code: 'unknown_url' });
  expect(await errorOf(await fetch(`${server.url}/models/other`))).toMatchObject({
    status: 404,
    code: 'model_not_found',
  });
  expect((await fetch(`${server.url}/models`, { method: 'DELETE' })).status).toBe(405);
  const port = Number(new URL(server.url).port);
  const status = (headers: Record<string, string>) =>
    new Promise((done, fail) => {
      httpRequest({ host: '127.0.0.1', port, path: '/v1/models', headers }, (r) => done(r.resume().statusCode))
        .on('error', fail)
        .end();
    });
  expect(await status({})).toBe(200);
  expect(await status({ host: 'evil.example' })).toBe(403);
  expect(await status({ origin: 'http://evil.example' })).toBe(403);
  expect(await status({ host: `localhost:${port}`, origin: `http://localhost:${port}` })).toBe(200);

  const locked = await open(checkpoint, { key: 'sesame' });
  expect(await errorOf(await fetch(`${locked.url}/models`))).toMatchObject({ status: 401, code: 'invalid_api_key' });
  const withKey = (apiKey: string) => new OpenAI({ baseURL: locked.url, apiKey, maxRetries: 0 }).models.list();
  await expect(withKey('wrong')).rejects.toBeInstanceOf(OpenAI.AuthenticationError);
  expect((await withKey('sesame')).data).toHaveLength(1);
  await locked.close();
});

test('a body without end is refused, and a connection that says nothing harms nobody', async () => {
  expect(await errorOf(await post(JSON.stringify(ask({ user: 'x'.repeat(5 << 20) }))))).toMatchObject({ status: 413 });
  // without a stated length
  const body = new ReadableStream({
    pull: (c) => c.enqueue(new Uint8Array(1 << 20).fill(32)),
  });
  const sent = fetch(`${server.url}/chat/completions`, { method: 'POST', body, duplex: 'half' } as RequestInit);
  expect(
    await sent.then(
      (r) => r.status,
      () => 'cut',
    ),
  ).not.toBe(200);
  const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
  socket.write('POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\n{');
  expect((await client.models.list()).data).toHaveLength(1);
  socket.destroy();
  const deep = `{"model":"toy","messages":${'['.repeat(100_000)}${']'.repeat(100_000)}}`;
  expect((await post(deep)).status).toBe(400);
});

/** Until a server writes no more [ms]. */
async function untilIdle(of: Server): Promise<number> {
  const from = performance.now();
  while (of.running() > 0) {
    if (performance.now() - from > 5000) throw new Error(`${of.running()} answers are still being written`);
    await sleep(1);
  }
  return performance.now() - from;
}

test('a client that leaves stops its answer, in a stream and without', async () => {
  for (const stream of [true, false]) {
    const leaving = new AbortController();
    const asked = fetch(`${slow.url}/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(ask({ n: 2, max_tokens: 8000, stream })),
      signal: leaving.signal,
    });
    if (stream) await (await asked).body!.getReader().read();
    else await sleep(100);
    expect(slow.running()).toBe(2);
    leaving.abort();
    await asked.catch(() => {});
    expect(await untilIdle(slow)).toBeLessThan(1000);
  }
});

test('a client that reads nothing is cut off before its answers fill the memory', async () => {
  const socket = connect(Number(new URL(slow.url).port), '127.0.0.1').pause();
  const text = JSON.stringify(
    ask({ n: slow.places, max_tokens: 8000, stream: true, logprobs: true, top_logprobs: 20 }),
  );
  socket.write(
    `POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: ${text.length}\r\n\r\n${text}`,
  );
  for (let tries = 0; slow.running() === 0 && tries < 200; tries++) await sleep(10);
  expect(slow.running()).toBe(slow.places);
  const from = performance.now();
  while (slow.running() > 0 && performance.now() - from < 20_000) await sleep(20);
  expect(slow.running()).toBe(0);
  let read = 0;
  let last = '';
  socket.on('data', (chunk: Buffer) => {
    read += chunk.length;
    last = chunk.toString();
  });
  socket.on('error', () => {});
  const closed = new Promise((done) => socket.once('close', done));
  socket.resume();
  await closed;
  expect(last).not.toContain('[DONE]');
  expect(read).toBeLessThan(32 << 20);
}, 30_000);

test('many who leave at any moment take no place with them', async () => {
  await Promise.all(
    Array.from({ length: 60 }, async (_, i) => {
      const leaving = new AbortController();
      setTimeout(() => leaving.abort(), (i * 37) % 150);
      const body = JSON.stringify(ask({ n: 1 + (i % 3), max_tokens: 8000, stream: i % 2 === 0 }));
      const asked = fetch(`${slow.url}/chat/completions`, { method: 'POST', body, signal: leaving.signal });
      await asked.then((r) => r.text()).catch(() => {});
    }),
  );
  await untilIdle(slow);
  const all = await post(ask({ n: slow.places, max_tokens: 2 }), {}, slow.url);
  expect([all.status, ((await all.json()) as { choices: unknown[] }).choices.length]).toEqual([200, slow.places]);
});

test('whatever stands in a field, the answer is 200 or an error that names something', async () => {
  const values = [
    null,
    true,
    -1,
    0,
    0.5,
    1e300,
    '',
    'x',
    '\ud800',
    [],
    [null],
    [[]],
    {},
    { a: 1 },
    [{ role: 'user' }],
    [''],
  ];
  const fields = [
    'model',
    'messages',
    'max_tokens',
    'max_completion_tokens',
    'temperature',
    'top_p',
    'n',
    'seed',
    'stop',
  ];
  fields.push(
    'stream',
    'stream_options',
    'logprobs',
    'top_logprobs',
    'tools',
    'logit_bias',
    '__proto__',
    'constructor',
  );
  const bodies = fields.flatMap((field) =>
    values.map((value) =>
      JSON.stringify(ask({ max_tokens: 2 })).replace(/}$/, `,${JSON.stringify(field)}:${JSON.stringify(value)}}`),
    ),
  );
  for (const body of bodies) {
    const response = await post(body);
    const text = await response.text();
    expect([body, [200, 400, 404].includes(response.status)]).toEqual([body, true]);
    if (response.status === 200) continue;
    expect((JSON.parse(text) as { error: { message: string } }).error.message).not.toBe('');
  }
});

test('a full queue is 429, those who wait get their turn, and who leaves the queue is passed over', async () => {
  const leaving = new AbortController();
  const long = (signal?: AbortSignal) =>
    fetch(`${slow.url}/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(ask({ n: slow.places, max_tokens: 4000 })),
      signal: signal ?? null,
    });
  const first = long(leaving.signal).catch(() => {});
  await sleep(100);
  const waits = new AbortController();
  const second = long(waits.signal).catch(() => {});
  const third = post(ask({ max_tokens: 3 }), {}, slow.url);
  await sleep(100);
  const fourth = await post(ask(), {}, slow.url);
  expect(await errorOf(fourth)).toMatchObject({ status: 429, code: 'queue_full', type: 'rate_limit_error' });
  expect(fourth.headers.get('retry-after')).toBe('1');
  waits.abort();
  await second;
  leaving.abort();
  await first;
  expect((await third).status).toBe(200);
  await untilIdle(slow);
});

test('while answers are written, others are answered at once', async () => {
  const leaving = new AbortController();
  const asked = post(ask({ n: slow.places, max_tokens: 8000 }), {}, slow.url).catch(() => {});
  const times: number[] = [];
  for (let i = 0; i < 40; i++) {
    const from = performance.now();
    await (await fetch(`${slow.url}/models`)).text();
    times.push(performance.now() - from);
    await sleep(5);
  }
  times.sort((a, b) => a - b);
  expect(slow.running()).toBe(slow.places);
  expect(times[20]).toBeLessThan(100);
  leaving.abort();
  void asked;
});

test('many requests at one time get the answers that they get alone', async () => {
  const seeds = Array.from({ length: 12 }, (_, i) => i);
  const of = (seed: number) => client.chat.completions.create(ask({ seed, max_tokens: 60, temperature: 1.3 }));
  const wide = await open(checkpoint, { queue: 100 });
  const other = new OpenAI({ baseURL: wide.url, apiKey: 'none', maxRetries: 0 });
  const together = await Promise.all(
    seeds.map((seed) => other.chat.completions.create(ask({ seed, max_tokens: 60, temperature: 1.3 }))),
  );
  for (const seed of seeds) expect(together[seed]!.choices).toEqual((await of(seed)).choices);
  await wide.close();
});

test.skipIf(!existsSync('/proc/self/task'))(
  'where the model’s process is lost, who waits is told, and the next one gets a new process',
  async () => {
    const children = () => readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8').trim().split(' ');
    const before = new Set(children());
    const doomed = await open(endless);
    const [pid] = children().filter((p) => !before.has(p));
    const whole = post(ask({ max_tokens: 8000 }), {}, doomed.url);
    const streamed = await post(ask({ max_tokens: 8000, stream: true }), {}, doomed.url);
    await sleep(50);
    process.kill(Number(pid), 'SIGKILL');
    expect(await errorOf(await whole)).toMatchObject({ status: 500, code: 'model_lost', type: 'server_error' });
    const events = await streamed.text();
    expect(events).toContain('"code":"model_lost"');
    expect(events).not.toContain('[DONE]');
    const next = await post(ask({ max_tokens: 3 }), {}, doomed.url);
    expect(next.status).toBe(200);
    await doomed.close();
  },
);

test('a model without conversations and a port that is taken are one sentence', async () => {
  const base = join(folder, 'base');
  await toyModel(base, { base: true });
  await expect(open(base)).rejects.toThrow('this model was not fine-tuned on conversations');
  await expect(open(checkpoint, { port: Number(new URL(server.url).port) })).rejects.toThrow(/in use/);
});
