import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { serve } from '@hono/node-server';
import { explainSystemError } from '../../core/errors.ts';
import { openAccess, type Access } from './access.ts';
import { studioApp, type StudioPage } from './app.ts';

export interface Studio {
  /** With the token: for the terminal, and nobody else. */
  url: string;
  port: number;
  /** Ends open connections too. */
  close(): Promise<void>;
}

export interface StudioOptions {
  pages: readonly StudioPage[];
  /** 0 takes any that is free. */
  port: number;
  /** Where the secret of the cookie is kept between starts. */
  secret: string;
}

/** Serves pages on 127.0.0.1, which no other machine reaches. Throws a GarnerError where the port is in use. */
export async function openStudio({ pages, port, secret }: StudioOptions): Promise<Studio> {
  let access: Access = openAccess(secret, port);
  const app = studioApp(() => access, pages);
  const server = serve({ fetch: app.fetch, hostname: '127.0.0.1', port, overrideGlobalObjects: false }) as Server;
  await new Promise<void>((resolve, reject) => {
    server.once('listening', () => resolve());
    server.once('error', (error) => reject(explainSystemError(error) as Error));
  });
  access = { ...access, port: (server.address() as AddressInfo).port };
  return {
    url: `http://127.0.0.1:${access.port}/?token=${access.token}`,
    port: access.port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
