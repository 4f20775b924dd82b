import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { explainSystemError } from '../../core/errors.ts';
import type { Site } from './site.ts';
import { LARGE } from './traps.ts';
import type { Reply } from './types.ts';

export interface SampleServer {
  /** With a slash at the end. */
  url: string;
  port: number;
  /** How often each path was asked for. */
  hits: ReadonlyMap<string, number>;
  close(): Promise<void>;
}

export interface ServeOptions {
  /** Tried first; a free one is taken where it is 0 or not given. A crawl that goes on needs the port it began with. */
  port?: number;
  /** Take another port where the wished one is in use, in place of an error. */
  orFree?: boolean;
}

/** Serves a site on 127.0.0.1. Answers carry no date, so that the same site gives the same bytes. */
export async function serveSite(site: Site, { port = 0, orFree = false }: ServeOptions = {}): Promise<SampleServer> {
  const hits = new Map<string, number>();
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://localhost').pathname;
    hits.set(path, (hits.get(path) ?? 0) + 1);
    response.sendDate = false;
    const reply = site.reply(path, request.headers.host ?? `127.0.0.1:${listening()}`) ?? NOT_FOUND;
    if (reply.endless) void endless(response, reply).catch(() => response.destroy());
    else
      response
        .writeHead(reply.status, { ...reply.headers, 'content-length': reply.body.length })
        .end(request.method === 'HEAD' ? undefined : reply.body);
  });
  const listening = () => (server.address() as AddressInfo).port;
  const listen = async (wanted: number) => {
    server.listen(wanted, '127.0.0.1');
    await once(server, 'listening');
  };
  try {
    await listen(port);
  } catch (error) {
    if (!orFree || Object(error).code !== 'EADDRINUSE') throw explainSystemError(error, `127.0.0.1:${port}`);
    await listen(0);
  }
  return {
    url: `http://127.0.0.1:${listening()}/`,
    port: listening(),
    hits,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

const NOT_FOUND: Reply = {
  status: 404,
  headers: { 'content-type': 'text/html; charset=utf-8' },
  body: Buffer.from('<!DOCTYPE html>\n<title>Not found</title><h1>Not found</h1>\n'),
};

/** A byte a second for ever, or a large page as fast as it is read. */
async function endless(response: ServerResponse, reply: Reply): Promise<void> {
  response.writeHead(reply.status, reply.headers);
  if (reply.endless === 'drip') {
    const timer = setInterval(() => response.write('.'), 1000);
    response.on('close', () => clearInterval(timer));
    response.write('<!DOCTYPE html>\n<title>Live</title><p>');
    return;
  }
  await pipeline(Readable.from(log()), response).catch(() => {}); // a reader that has had enough is no fault of ours
}

function* log(): Generator<Buffer> {
  const lines = '<p>This line of the log says the same as the line before it, and so does the next one.</p>\n'.repeat(
    700,
  );
  yield Buffer.from('<!DOCTYPE html>\n<title>Log</title>\n');
  for (let sent = 0; sent < LARGE; sent += lines.length) yield Buffer.from(lines);
}
