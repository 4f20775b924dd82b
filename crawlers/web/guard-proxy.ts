import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import type { Guard } from './address.ts';

export interface GuardProxy {
  /** `http://127.0.0.1:<port>` */
  url: string;
  close(): Promise<void>;
}

const PATIENCE_MS = 30_000;

/**
 * A proxy on loopback through which a browser must go, since it resolves names by itself: every connection is judged by
 * the guard, on the address that is connected to. Refused ones get 403.
 */
export async function openGuardProxy(guard: Guard): Promise<GuardProxy> {
  const sockets = new Set<Socket>();
  const portOf = (url: URL) => url.port || (url.protocol === 'https:' ? '443' : '80');
  const hostOf = (url: URL) => url.hostname.replace(/^\[|\]$/g, '');
  const parse = (text: string) => (URL.canParse(text) ? new URL(text) : null);

  const forward = (incoming: IncomingMessage, response: ServerResponse) => {
    const url = parse(incoming.url ?? '');
    if (!url || url.protocol !== 'http:' || guard.refuses(url)) {
      response.writeHead(403).end();
      return;
    }
    const { 'proxy-connection': _p, 'proxy-authorization': _a, ...headers } = incoming.headers;
    const out = httpRequest(
      {
        host: hostOf(url),
        port: portOf(url),
        path: `${url.pathname}${url.search}`,
        method: incoming.method,
        headers: { ...headers, connection: 'close' },
        lookup: guard.lookup(portOf(url)) as never,
        timeout: PATIENCE_MS,
      },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
        answer.on('error', () => response.destroy());
      },
    );
    out.on('timeout', () => out.destroy());
    out.on('error', () => (response.headersSent ? response.destroy() : response.writeHead(502).end()));
    incoming.on('error', () => out.destroy());
    incoming.pipe(out);
  };

  const server = createServer(forward);
  server.on('connect', (incoming: IncomingMessage, client: Socket, head: Buffer) => {
    const url = parse(`https://${incoming.url ?? ''}`);
    if (!url || guard.refuses(url)) {
      client.end('HTTP/1.1 403 Forbidden\r\n\r\n');
      return;
    }
    const out = connect({ host: hostOf(url), port: Number(portOf(url)), lookup: guard.lookup(portOf(url)) as never });
    out.setTimeout(PATIENCE_MS, () => out.destroy());
    out.once('connect', () => {
      client.write('HTTP/1.1 200 Connection Established\r\n\r\n');
      out.write(head);
      out.pipe(client);
      client.pipe(out);
    });
    out.on('error', () => client.destroy());
    client.on('error', () => out.destroy());
    client.on('close', () => out.destroy());
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
}
