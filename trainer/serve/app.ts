import { createHash, randomBytes, randomInt, timingSafeEqual } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import type { ReadableStreamDefaultController } from 'node:stream/web';
import type { HttpBindings } from '@hono/node-server';
import { Hono, type Context } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import type { ChatTemplate } from '../chat/template.ts';
import type { Vocabulary } from '../sample/vocabulary.ts';
import { answer, logprobOf, type Finish } from './answer.ts';
import { ApiError } from './errors.ts';
import type { RemoteModel } from './model.ts';
import type { Places } from './places.ts';
import { readChatRequest, type ChatRequest } from './request.ts';

/** More than most contexts take, and bounded for all connections together. */
const LARGEST_BODY = 2 << 20;
/** What may wait for a client that reads more slowly than is written [bytes]. */
const FARTHEST_BEHIND = 4 << 20;

export interface Served {
  /** The model's name in requests. */
  name: string;
  /** Seconds since 1970, of the checkpoint. */
  created: number;
  /** Changes with the weights. */
  fingerprint: string;
  context: number;
  /** Messages of more bytes are certainly longer than the context: they are refused unread. */
  mostBytes: number;
  vocabulary: Vocabulary;
  chat: ChatTemplate;
  model: RemoteModel;
  places: Places;
  /** What a client must show, or null. */
  key: string | null;
}

/** The routes of OpenAI's API that a model answers. */
export function openApp(served: Served): Hono {
  const app = new Hono();
  app.onError((error, c) => {
    if (!(error instanceof ApiError)) {
      // Where the client has left, nobody hears the answer.
      if (!c.req.raw.signal.aborted) console.error(error);
      return c.json(new ApiError(500, null, 'The server made a mistake.').body, 500);
    }
    if (error.status === 429) c.header('retry-after', '1');
    return c.json(error.body, error.status);
  });
  app.notFound((c) => {
    throw new ApiError(404, 'unknown_url', `Unknown request URL: ${c.req.method} ${c.req.path}.`);
  });
  app.use(async (c, next) => {
    guard(c, served.key);
    await next();
  });
  const card = { id: served.name, object: 'model', created: served.created, owned_by: 'garner' };
  app.get('/v1/models', (c) => c.json({ object: 'list', data: [card] }));
  app.get('/v1/models/:model', (c) => {
    mustBe(served, c.req.param('model'));
    return c.json(card);
  });
  const limit = bodyLimit({
    maxSize: LARGEST_BODY,
    onError() {
      throw new ApiError(413, 'request_too_large', `The body is larger than ${LARGEST_BODY} bytes.`);
    },
  });
  app.post('/v1/chat/completions', limit, (c) => complete(c, served));
  for (const path of ['/v1/models', '/v1/models/:model', '/v1/chat/completions'])
    app.all(path, (c) => {
      throw new ApiError(405, 'method_not_allowed', `Not allowed method ${c.req.method} for this URL.`);
    });
  return app;
}

/** Only this machine's programs and pages: a name that was rebound to 127.0.0.1, or a page from elsewhere, is refused. */
function guard(c: Context, key: string | null): void {
  const host = c.req.header('host') ?? '';
  if (!/^(127\.0\.0\.1|localhost|\[::1\])(:\d{1,5})?$/i.test(host))
    throw new ApiError(403, 'forbidden_host', 'This server answers on 127.0.0.1 and localhost only.');
  const origin = c.req.header('origin');
  if (origin !== undefined && origin !== `http://${host}`)
    throw new ApiError(403, 'forbidden_origin', 'Pages of other origins may not use this server.');
  if (key === null) return;
  const shown = /^Bearer (.*)$/i.exec(c.req.header('authorization') ?? '')?.[1];
  if (shown === undefined)
    throw new ApiError(401, 'invalid_api_key', 'An API key is needed: Authorization: Bearer KEY.');
  const digest = (text: string) => createHash('sha256').update(text).digest();
  if (!timingSafeEqual(digest(shown), digest(key)))
    throw new ApiError(401, 'invalid_api_key', 'Incorrect API key provided.');
}

function mustBe(served: Served, model: string): void {
  if (model !== served.name)
    throw new ApiError(
      404,
      'model_not_found',
      `The model '${model}' does not exist; '${served.name}' is served.`,
      'model',
    );
}

type Ready = ChatRequest & { prompt: number[]; most: number; seedUsed: number };

async function complete(c: Context, served: Served): Promise<Response> {
  const request = readChatRequest(await bodyOf(c));
  mustBe(served, request.model);
  const ready = prepare(request, served);
  const left = new AbortController();
  const { signal } = left;
  // each of n answers listens
  setMaxListeners(0, signal);
  const leave = () => left.abort();
  if (c.req.raw.signal.aborted) leave();
  c.req.raw.signal.addEventListener('abort', leave);
  const places = served.places.take(ready.n, signal);
  if (places === null) throw new ApiError(429, 'queue_full', 'Too many requests are waiting; try again in a moment.');
  const giveBack = await places;
  const head = {
    id: `chatcmpl-${randomBytes(15).toString('base64url')}`,
    created: Math.floor(Date.now() / 1000),
    model: served.name,
    system_fingerprint: served.fingerprint,
  };
  const parts = { giveBack, signal };
  return ready.stream
    ? streamed(ready, served, head, { ...parts, leave, cut: () => (c.env as HttpBindings).outgoing.destroy() })
    : c.json(await whole(ready, served, head, parts));
}

async function bodyOf(c: Context): Promise<unknown> {
  const text = await c.req.text();
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new ApiError(400, 'invalid_json', 'The body is no valid JSON.');
  }
}

function prepare(request: ChatRequest, { chat, context, mostBytes, places }: Served): Ready {
  if (request.n > places.total)
    throw new ApiError(400, 'invalid_value', `Invalid value for 'n': at most ${places.total} answers at a time.`, 'n');
  // Two million bytes hold the thread, and with it everybody's stream, for a second.
  const bytes = request.messages.reduce((sum, { content }) => sum + Buffer.byteLength(content ?? ''), 0);
  if (bytes > mostBytes) throw tooLong(context, `more than ${context}`, 'messages');
  const prompt = chat.prompt(request.messages);
  // The token after the last place still comes.
  const room = context + 1 - prompt.length;
  if (room < 1 || (request.tokens ?? 1) > room)
    throw tooLong(
      context,
      `${prompt.length}${request.tokens === null ? '' : ` and ${request.tokensField} is ${request.tokens}`}`,
      room < 1 ? 'messages' : request.tokensField,
    );
  return { ...request, prompt, most: request.tokens ?? room, seedUsed: request.seed ?? randomInt(2 ** 47) };
}

const tooLong = (context: number, have: string, param: string): ApiError =>
  new ApiError(
    400,
    'context_length_exceeded',
    `This model's maximum context length is ${context} tokens. However, your messages have ${have}. Please reduce them.`,
    param,
  );

type Head = Record<'id' | 'model' | 'system_fingerprint', string> & { created: number };
interface Parts {
  giveBack: () => void;
  signal: AbortSignal;
}

const usageOf = (request: Ready, written: number) => ({
  prompt_tokens: request.prompt.length,
  completion_tokens: written,
  total_tokens: request.prompt.length + written,
});

async function whole(request: Ready, { model, vocabulary }: Served, head: Head, parts: Parts) {
  const choices = Array.from({ length: request.n }, () => ({
    text: '',
    logprobs: [] as object[],
    finish: 'stop' as Finish,
  }));
  const written = await answer(model, vocabulary, request, {
    ...parts,
    answers: {
      piece(index, { text, tokens }) {
        choices[index]!.text += text;
        if (request.logprobs) choices[index]!.logprobs.push(...tokens.map((t) => logprobOf(t, vocabulary)));
      },
      finish: (index, finish) => void (choices[index]!.finish = finish),
    },
  }).done;
  return {
    ...head,
    object: 'chat.completion',
    choices: choices.map(({ text, logprobs, finish }, index) => ({
      index,
      message: { role: 'assistant', content: text, refusal: null },
      logprobs: request.logprobs ? { content: logprobs, refusal: null } : null,
      finish_reason: finish,
    })),
    usage: usageOf(request, written),
  };
}

/**
 * Server-sent events: a chunk a piece, then usage where asked for, then [DONE]. Who leaves, or reads nothing for so long that
 * much is waiting, stops the answers.
 */
function streamed(
  request: Ready,
  { model, vocabulary }: Served,
  head: Head,
  { leave, cut, ...parts }: Parts & { leave: () => void; cut: () => void },
): Response {
  const encoder = new TextEncoder();
  const source = {
    async start(controller: ReadableStreamDefaultController<Uint8Array>) {
      const say = (data: string) => {
        if (parts.signal.aborted) return;
        controller.enqueue(encoder.encode(`data: ${data}\n\n`));
        if (controller.desiredSize! >= 0) return;
        leave();
        cut();
      };
      const chunk = (more: object) =>
        say(
          JSON.stringify({
            ...head,
            object: 'chat.completion.chunk',
            ...(request.includeUsage && { usage: null }),
            ...more,
          }),
        );
      const choice = (index: number, delta: object, logprobs: object | null, finish: Finish | null) =>
        chunk({ choices: [{ index, delta, logprobs, finish_reason: finish }] });
      for (let i = 0; i < request.n; i++) choice(i, { role: 'assistant', content: '', refusal: null }, null, null);
      try {
        const written = await answer(model, vocabulary, request, {
          ...parts,
          answers: {
            piece(index, { text, tokens }) {
              const content = tokens.map((t) => logprobOf(t, vocabulary));
              choice(index, { content: text }, request.logprobs ? { content, refusal: null } : null, null);
            },
            finish: (index, finish) => choice(index, {}, null, finish),
          },
        }).done;
        if (request.includeUsage) chunk({ choices: [], usage: usageOf(request, written) });
        say('[DONE]');
        controller.close();
      } catch (error) {
        if (parts.signal.aborted) return;
        say(JSON.stringify((error instanceof ApiError ? error : new ApiError(500, null, String(error))).body));
        controller.close();
      }
    },
    cancel: leave,
  };
  const body = new ReadableStream(source, new ByteLengthQueuingStrategy({ highWaterMark: FARTHEST_BEHIND }));
  return new Response(body, {
    headers: { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' },
  });
}
