import type { Socket } from 'node:net';
import { buildConnector, Client } from 'undici';
import { parseHttpHead, headerValues, type HttpHead } from '../archives/http-message.ts';
import { REFUSED_ADDRESS, type Guard } from './address.ts';

/** How an exchange ended. All but `complete` leave a truncated message or none. */
export type Ending = 'complete' | 'size' | 'timeout' | 'disconnect' | 'unwanted' | 'failed';

/** One request and what came back, as bytes on the wire (below TLS, above TCP). */
export interface Exchange {
  request: Buffer;
  /** From the status line of the final answer on; empty where none came. */
  response: Buffer;
  /** Head of that answer. */
  head: HttpHead | null;
  /** Peer's address. */
  address: string | null;
  /** When the request was begun [ms since 1970]. */
  started: number;
  ending: Ending;
  /** Why it failed: address, dns, connect, tls, protocol, timeout, disconnect; null where it did not. */
  reason: string | null;
}

export interface ExchangeLimits {
  /** For all of it, connecting included [ms]. */
  timeoutMs: number;
  /** Longest body on the wire [bytes]. */
  maxBytes: number;
  /** Whether the body of this answer is worth its bytes; small ones are taken anyway, so that the connection stays. */
  wanted(head: HttpHead): boolean;
}

const SMALL_BODY = 64 << 10;

/** One connection to one origin: a request at a time. */
export interface Lane {
  get(url: URL, headers: Record<string, string>, limits: ExchangeLimits): Promise<Exchange>;
  close(): Promise<void>;
}

const HEAD_ROOM = 128 << 10;

/**
 * Opens a lane. The guard judges the addresses a name has before the connection is made, and the peer's once more after it;
 * bytes are taken where undici hands them to the socket and gets them from it, so that a WARC holds what was on the wire.
 */
export function openLane(origin: string, guard: Guard): Lane {
  const { hostname, port: given, protocol } = new URL(origin);
  const port = given || (protocol === 'https:' ? '443' : '80');
  const tap = { sent: [] as Buffer[], got: [] as Buffer[], size: 0, address: null as string | null };
  const reset = () => Object.assign(tap, { sent: [], got: [], size: 0 });
  const connect = buildConnector({ timeout: 10_000, lookup: guard.lookup(port) as never, maxCachedSessions: 0 });
  const client = new Client(origin, {
    pipelining: 1,
    keepAliveTimeout: 5000,
    headersTimeout: 0,
    bodyTimeout: 0,
    maxHeaderSize: 64 << 10,
    connect(options, callback) {
      connect(options, (error, socket) => {
        if (error || !socket) {
          callback(error ?? new Error('no socket'), null);
          return;
        }
        const { remoteAddress } = socket;
        if (!guard.admits(hostname, port, remoteAddress ?? '')) {
          socket.destroy();
          callback(Object.assign(new Error('the address is not public'), { code: REFUSED_ADDRESS }), null);
          return;
        }
        reset();
        tap.address = remoteAddress ?? null;
        listen(socket);
        callback(null, socket);
      });
    },
  });
  const listen = (socket: Socket) => {
    const push = socket.push.bind(socket);
    const write = socket.write.bind(socket) as (...all: unknown[]) => boolean;
    socket.push = (chunk: Buffer | null, encoding?: BufferEncoding) => {
      if (chunk) {
        tap.got.push(chunk);
        tap.size += chunk.length;
      }
      return push(chunk, encoding);
    };
    socket.write = ((chunk: string | Uint8Array, ...rest: unknown[]) => {
      tap.sent.push(
        Buffer.from(chunk as string, typeof rest[0] === 'string' ? (rest[0] as BufferEncoding) : undefined),
      );
      return write(chunk, ...rest);
    }) as typeof socket.write;
  };

  return {
    async get(url, headers, limits) {
      reset();
      const started = Date.now();
      const stop = new AbortController();
      let ending: Ending = 'complete';
      let reason: string | null = null;
      const end = (why: Ending) => {
        if (ending !== 'complete') return;
        ending = why;
        stop.abort();
      };
      const timer = setTimeout(() => end('timeout'), limits.timeoutMs);
      try {
        const answer = await client.request({
          path: `${url.pathname}${url.search}`,
          method: 'GET',
          headers,
          signal: stop.signal,
        });
        const stated = Number(answer.headers['content-length'] ?? Infinity);
        const early = finalAnswer(Buffer.concat(tap.got)).head;
        if (Number.isFinite(stated) && stated > limits.maxBytes) end('size');
        else if (early && stated > SMALL_BODY && !limits.wanted(early)) end('unwanted');
        for await (const _ of answer.body) {
          if (tap.size > limits.maxBytes + HEAD_ROOM) end('size');
        }
      } catch (error) {
        if (ending === 'complete') [ending, reason] = explain(error, tap.got.length > 0);
      } finally {
        clearTimeout(timer);
      }
      const { response, head } = finalAnswer(Buffer.concat(tap.got));
      if (head && response.length - head.bodyStart > limits.maxBytes && ending === 'complete') ending = 'size';
      const request = Buffer.concat(tap.sent);
      const { address } = tap;
      // An idle connection holds no page.
      reset();
      return { request, response, head, address, started, ending, reason: reason ?? reasonOf(ending) };
    },
    close: () => client.destroy(),
  };
}

const reasonOf = (ending: Ending) => (ending === 'complete' || ending === 'unwanted' ? null : ending);

/** Leaves out interim answers (100, 103). */
function finalAnswer(all: Buffer): { response: Buffer; head: HttpHead | null } {
  let rest = all;
  for (let i = 0; i < 10; i++) {
    const head = rest.length > 0 ? parseHttpHead(rest) : null;
    if (!head || head.status === null) return { response: rest, head: null };
    if (head.status >= 200 || head.status === 101 || headerValues(head.headers, 'content-length').length > 0)
      return { response: rest, head };
    rest = rest.subarray(head.bodyStart);
  }
  return { response: rest, head: null };
}

function explain(error: unknown, answered: boolean): [Ending, string] {
  const { code, cause, name } = Object(error) as { code?: string; cause?: { code?: string }; name?: string };
  const why = String(code ?? cause?.code ?? '');
  if (why === REFUSED_ADDRESS) return ['failed', 'address'];
  if (/^(ENOTFOUND|EAI_|ENODATA)/.test(why)) return ['failed', 'dns'];
  if (/CERT|TLS|SSL|SELF_SIGNED|UNABLE_TO/.test(why)) return ['failed', 'tls'];
  if (
    why === 'UND_ERR_CONNECT_TIMEOUT' ||
    /^(ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT|EADDRNOTAVAIL)$/.test(why)
  )
    return ['failed', 'connect'];
  if (name === 'HTTPParserError' || /^(HPE_|UND_ERR_HEADERS_OVERFLOW|UND_ERR_RES_CONTENT)/.test(why))
    return ['failed', 'protocol'];
  return answered ? ['disconnect', 'disconnect'] : ['failed', 'disconnect'];
}
