import { readFileSync, readdirSync } from 'node:fs';
import { extname } from 'node:path';
import { Hono, type Context } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { asset } from '../../core/root.ts';
import { hasCookie, isToken, refusal, setCookie, type Access } from './access.ts';

/** A page of the studio: an entry of its navigation, its module under studio/pages, its own routes under /api/<name>. */
export interface StudioPage {
  /** Path and module: `rank` is /rank, studio/pages/rank.js, /api/rank. */
  name: string;
  title: string;
  api: Hono;
}

const HEADERS: Record<string, string> = {
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Cache-Control': 'no-store',
};

const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** Largest body of a request [bytes]. */
const LARGEST_BODY = 256 << 10;
const PAGES = 'studio/pages';

/** The studio as a function from requests to answers. `access` is asked each time: the port is known once it listens. */
export function studioApp(access: () => Access, pages: readonly StudioPage[]): Hono {
  const app = new Hono();
  // Only files that stand in the folder when it starts: no path of a request is ever joined to another.
  const files = new Map(
    readdirSync(asset(PAGES), { withFileTypes: true })
      .filter((f) => f.isFile() && TYPES[extname(f.name)] !== undefined)
      .map((f) => [f.name, asset(`${PAGES}/${f.name}`)]),
  );
  const send = (c: Context, name: string, status: 200 | 401 = 200) => {
    const path = files.get(name);
    if (path === undefined) return c.text('not found', 404);
    return c.body(readFileSync(path), status, { 'Content-Type': TYPES[extname(name)]! });
  };

  app.use(async (c, next) => {
    for (const [name, value] of Object.entries(HEADERS)) c.header(name, value);
    const why = refusal(access(), {
      method: c.req.method,
      host: c.req.header('host'),
      origin: c.req.header('origin'),
      site: c.req.header('sec-fetch-site'),
      mode: c.req.header('sec-fetch-mode'),
    });
    if (why !== null) return c.text(why, 403);
    const token = c.req.query('token');
    if (c.req.method === 'GET' && token !== undefined) {
      if (!isToken(access(), token)) return send(c, 'locked.html', 401);
      // The token leaves the address bar, and with it the history and what a person copies from there.
      c.header('Set-Cookie', setCookie(access()));
      return c.redirect(c.req.path, 303);
    }
    // Shape and colour are no secret; the page that asks for the link needs them.
    if (c.req.path === '/static/studio.css' || hasCookie(access(), c.req.header('cookie'))) return next();
    return c.req.path.startsWith('/api/') || c.req.path.startsWith('/static/')
      ? c.json({ error: 'open the link that the terminal shows' }, 401)
      : send(c, 'locked.html', 401);
  });

  app.use(bodyLimit({ maxSize: LARGEST_BODY, onError: (c) => c.json({ error: 'the request is too large' }, 413) }));
  app.get('/', (c) => c.redirect(`/${pages[0]!.name}`, 303));
  app.get('/static/:file', (c) => send(c, c.req.param('file')));
  app.get('/api/pages', (c) => c.json(pages.map(({ name, title }) => ({ name, title }))));
  for (const page of pages) {
    app.get(`/${page.name}`, (c) => send(c, 'index.html'));
    app.route(`/api/${page.name}`, page.api);
  }
  app.notFound((c) => c.text('not found', 404));
  app.onError((error, c) => c.json({ error: error.message }, 500));
  return app;
}
