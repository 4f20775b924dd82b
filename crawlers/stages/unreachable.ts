import { GarnerError } from '../../core/errors.ts';
import type { Capture } from '../../core/records/index.ts';
import { normaliseUrl } from '../web/url.ts';

/** Reasons for which a person, or another day, can do something. */
const HINTS: Record<string, { what: string; hint: string; fault?: 1 | 2 }> = {
  address: {
    what: 'this host has no public address, so the address guard refuses it',
    hint: 'where you trust it, name the host under "allow" of the section crawl (garner crawl: --allow HOST)',
    fault: 2,
  },
  port: {
    what: 'this port is none that websites use, so the address guard refuses it',
    hint: 'name host:port under "allow" of the section crawl (garner crawl: --allow HOST:PORT)',
    fault: 2,
  },
  dns: { what: 'the host name is not known', hint: 'check its spelling and the network' },
  connect: { what: 'nothing answers there', hint: 'is the server running, and the port right?' },
  disconnect: { what: 'the server hangs up without an answer', hint: 'try again later' },
  timeout: { what: 'the server does not answer in time', hint: 'try again later, or raise "timeout"' },
  tls: { what: 'the certificate of the server is not valid', hint: 'check the URL; the crawl trusts no such server' },
  protocol: { what: 'what answers there is no web server', hint: 'check host and port' },
  robots_unreachable: {
    what: 'its robots.txt cannot be had, which forbids everything (RFC 9309)',
    hint: 'try again later',
  },
};

/**
 * The error of a crawl in which no seed could be asked for at all; null for every other. Such a crawl does not count as
 * done: the same command tries again.
 */
export function unreachable(seeds: readonly string[], rows: readonly Capture[]): GarnerError | null {
  const urls = new Set(seeds.map((s) => normaliseUrl(s)));
  const mine = rows.filter((r) => urls.has(r.url));
  if (mine.length === 0 || rows.some((r) => r.outcome === 'fetched' || r.outcome === 'redirected')) return null;
  if (!mine.every((r) => r.status === null && r.reason !== null && r.reason in HINTS)) return null;
  const first = mine[0]!;
  // A robots.txt that cannot be had is what is seen; why is in its own row.
  const cause =
    first.reason === 'robots_unreachable' ? rows.find((r) => r.url === normaliseUrl('/robots.txt', first.url)) : first;
  const known = HINTS[cause?.reason ?? ''] ?? HINTS[first.reason!]!;
  return new GarnerError({ ...known, where: first.url });
}
