import { escapeHtml } from './parts.ts';
import { type Article, type Expected, type Reply } from './types.ts';

/** A URL where something goes wrong, or never ends. */
export interface Trap {
  path: string;
  /** As it stands in a list of links; null where only another trap leads there. */
  link: string | null;
  what: string;
  expected: Expected;
  reply: Reply;
}

const html = (status: number, body: string, headers: Record<string, string> = {}): Reply => ({
  status,
  headers: { 'content-type': 'text/html; charset=utf-8', ...headers },
  body: Buffer.from(body),
});
const small = (title: string, body: string): string =>
  `<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>${title}</title></head><body><h1>${title}</h1>${body}</body></html>\n`;
const redirect = (status: number, location: string): Reply =>
  html(status, small('Moved', `<p><a href="${location}">here</a></p>`), { location });
const outcome = (name: Expected['outcome'], reason: string | null): Expected => ({ outcome: name, reason });

/** Bytes of the page that is too large [bytes]. */
export const LARGE = 20 << 20;

/** The traps of the site. `target` is a page that old addresses lead to. */
export function traps(target: string): Trap[] {
  const moved = outcome('redirected', null);
  return [
    { path: '/old/1', link: 'The old catalogue', what: 'a redirect', expected: moved, reply: redirect(301, target) },
    {
      path: '/old/2',
      link: 'An older catalogue',
      what: 'two redirects',
      expected: moved,
      reply: redirect(302, '/old/3'),
    },
    {
      path: '/old/3',
      link: null,
      what: 'the second of two redirects',
      expected: moved,
      reply: redirect(307, target),
    },
    {
      path: '/loop/a',
      link: 'Round and round',
      what: 'a redirect loop',
      expected: outcome('redirected', 'redirect_loop'),
      reply: redirect(302, '/loop/b'),
    },
    {
      path: '/loop/b',
      link: null,
      what: 'a redirect loop',
      expected: outcome('redirected', 'redirect_loop'),
      reply: redirect(302, '/loop/a'),
    },
    {
      path: '/missing.html',
      link: 'A lost page',
      what: 'not found',
      expected: outcome('failed', 'status_404'),
      reply: html(404, small('Not found', '')),
    },
    {
      path: '/broken.html',
      link: 'Guest book',
      what: 'a server error',
      expected: outcome('failed', 'status_500'),
      reply: html(500, small('Error', '')),
    },
    {
      path: '/slow/drip.html',
      link: 'Live text',
      what: 'one byte a second, for ever',
      expected: outcome('failed', 'timeout'),
      reply: { ...html(200, ''), endless: 'drip' },
    },
    {
      path: '/large/log.html',
      link: 'The whole log',
      what: `a page of ${LARGE} bytes`,
      expected: outcome('refused', 'size'),
      reply: { ...html(200, ''), endless: 'flood' },
    },
    {
      path: '/files/notes.pdf',
      link: 'Notes (PDF)',
      what: 'not a page',
      expected: outcome('not_page', 'media_type'),
      reply: { status: 200, headers: { 'content-type': 'application/pdf' }, body: Buffer.from('%PDF-1.4\n%%EOF\n') },
    },
  ];
}

/** A page whose text is only in a script. */
export function javascriptPage(article: Article): Reply {
  const data = JSON.stringify(article.blocks.map((b) => b.text)).replaceAll('<', '\\u003c');
  return html(
    200,
    `<!DOCTYPE html>
<html lang="${article.language}"><head><meta charset="utf-8"><title>${escapeHtml(article.title)}</title></head>
<body><div id="root"></div><noscript>You need to enable JavaScript to run this app.</noscript>
<script>
const texts = ${data};
const main = document.createElement('main');
const title = document.createElement('h1');
title.textContent = document.title;
main.append(title);
for (const text of texts) { const p = document.createElement('p'); p.textContent = text; main.append(p); }
document.getElementById('root').append(main);
</script></body></html>
`,
  );
}

/** A calendar: each day leads to the next one, for ever. Null for an address that is no day. */
export function calendarPage(path: string): Reply | null {
  const [, year, month, day] = /^\/calendar\/(\d{4})\/(\d{2})\/(\d{2})$/.exec(path) ?? [];
  if (year === undefined) return null;
  const date = new Date(Date.UTC(Number(year), Number(month) - 1, Number(day)));
  const next = new Date(date.getTime() + 86_400_000).toISOString().slice(0, 10).replaceAll('-', '/');
  const title = `Reading calendar, ${date.toISOString().slice(0, 10)}`;
  return html(
    200,
    small(
      title,
      `<p>Nothing is planned for this day.</p><p><a href="/calendar/${next}">Next day</a> <a href="/">Home</a></p>`,
    ),
  );
}

/** Bytes of an article in its own charset, with the header that tells it, or not. */
export function encodedHeaders(article: Article): Record<string, string> {
  const { encoding, headerRobots } = article;
  // Western pages call windows-1252 by its older name, as most servers do.
  const name = encoding?.charset === 'windows-1252' ? 'iso-8859-1' : encoding?.charset;
  const type = !encoding
    ? 'text/html; charset=utf-8'
    : encoding.declared === 'header'
      ? `text/html; charset=${name}`
      : 'text/html';
  return { 'content-type': type, ...(headerRobots ? { 'x-robots-tag': headerRobots } : {}) };
}
