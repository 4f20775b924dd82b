import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Capture } from '../../core/records/index.ts';
import { contentType, decodeBody, headerValues, payloadOf, type HttpHead } from '../archives/http-message.ts';
import type { Guard } from './address.ts';
import { noBrowser, type Browser } from './browser.ts';
import { emptyRow, type Entry } from './entry.ts';
import type { Settled } from './frontier-log.ts';
import { decodeForLinks, headerOptOuts, needsBrowser, readPage, sortOptOuts, type PageFacts } from './page.ts';
import { isPage, outcomeOfStatus, refuseOptOut } from './outcome.ts';
import type { CrawlRecipe } from './recipe.ts';
import type { Manners } from './rounds.ts';
import { readSitemap } from './sitemap.ts';
import { normaliseUrl, type Scope } from './url.ts';
import { digestOf, recordId, type Place, type RecordParts, type WarcWriter } from './warc-writer.ts';
import { openLane, type Exchange, type Lane } from './wire.ts';

export interface VisitResult {
  settled: Settled;
  /** The answer asks for patience: the URL is to be asked for once more after so long [ms]; null: it is settled. */
  againAfterMs: number | null;
}

export interface Visitor {
  /** Fetches one URL, writes what came to the WARC and says what became of it. `attempt` counts from 1. */
  visit(entry: Entry, lane: number, attempt: number, manners: Manners): Promise<VisitResult>;
  close(): Promise<void>;
}

export interface VisitorOptions {
  recipe: CrawlRecipe;
  scope: Scope;
  guard: Guard;
  writer: WarcWriter;
  browser: Browser;
  userAgent: string;
  agent: string;
  /** Folder of the WARC files, from the lake's root. */
  folder: string;
}

const ROBOTS_HOPS = 5;
const MOST_LANES = 256;
const LONGEST_ROBOTS = 1 << 20;
const LONGEST_WAIT_MS = 120_000;
const RATIO = 200;

/** What fetches, archives and judges one URL at a time; keeps a connection a lane. Faults of the outside world are rows, never exceptions. */
export function createVisitor(o: VisitorOptions): Visitor {
  const { recipe, writer, guard } = o;
  const lanes = new Map<string, { lane: Lane; busy: boolean }>();
  /** The lane of an origin, the last used ones kept; what is idle for longest goes. */
  const laneTo = (url: URL, n: number) => {
    const key = `${url.origin} ${n}`;
    const held = lanes.get(key) ?? { lane: openLane(url.origin, guard), busy: false };
    lanes.delete(key);
    lanes.set(key, held);
    if (lanes.size > MOST_LANES) {
      const idle = [...lanes].find(([, l]) => !l.busy && l !== held);
      if (idle) {
        lanes.delete(idle[0]);
        void idle[1].lane.close();
      }
    }
    return held;
  };
  const headers = {
    'User-Agent': o.userAgent,
    Accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,text/plain;q=0.8,*/*;q=0.1',
    'Accept-Encoding': 'gzip, deflate, br',
  };
  const fetch = async (url: string, n: number, maxBytes: number, wanted: (head: HttpHead) => boolean) => {
    const target = new URL(url);
    const held = laneTo(target, n);
    held.busy = true;
    try {
      return await held.lane.get(target, headers, { timeoutMs: recipe.timeout * 1000, maxBytes, wanted });
    } finally {
      held.busy = false;
    }
  };

  /** Writes request and response; the response's place and id. `bare`: the head alone is kept. */
  const store = (url: string, exchange: Exchange, payload: Buffer | null, bare: boolean): Stored | null => {
    const { request, response, head, address, started } = exchange;
    if (!head) return null;
    const truncated = bare ? 'unspecified' : TRUNCATED[exchange.ending];
    const block = bare || exchange.ending === 'size' ? response.subarray(0, head.bodyStart) : response;
    const id = recordId('response', url, started, digestOf(block));
    const peer: [string, string][] = address === null ? [] : [['WARC-IP-Address', address]];
    const places = writer.write([
      {
        type: 'response',
        id,
        date: started,
        url,
        contentType: 'application/http; msgtype=response',
        fields: [...peer, ...(truncated ? ([['WARC-Truncated', truncated]] as [string, string][]) : [])],
        block,
        payload: truncated ? undefined : (payload ?? undefined),
      },
      {
        type: 'request',
        id: recordId('request', url, started, digestOf(request)),
        date: started,
        url,
        contentType: 'application/http; msgtype=request',
        fields: [...peer, ['WARC-Concurrent-To', id]],
        block: request,
      },
    ]);
    return { id, place: places[0]!, end: places[1]! };
  };

  const settle = (row: Capture, stored: Stored | null, more: Partial<Settled> = {}): Settled => ({
    row: stored ? { ...row, id: stored.id, ...placeOf(o.folder, stored.place) } : row,
    links: [],
    outside: 0,
    warc: stored ? { file: stored.end.file, end: stored.end.offset + stored.end.length } : null,
    ...more,
  });

  async function visitPage(entry: Entry, laneNumber: number, manners: Manners): Promise<[Settled, Exchange | null]> {
    const signals = manners.signals(entry);
    const refusal = guard.refuses(new URL(entry.url));
    if (refusal) return [settle(emptyRow(recipe.name, entry, 'refused', refusal), null), null];
    const sitemap = entry.kind === 'sitemap';
    const maxBytes = sitemap ? Math.max(recipe.max_bytes, 52_428_800) : recipe.max_bytes;
    const exchange = await fetch(entry.url, laneNumber, maxBytes, (head) => sitemap || wantsBody(head));
    const row = rowOf(recipe.name, entry, exchange);
    const { head } = exchange;
    if (!head) return [settle(row, null), exchange];
    const payload = exchange.ending === 'complete' ? payloadOf(head, exchange.response) : null;
    if (payload) Object.assign(row, { digest: digestOf(payload), bytes: payload.length });
    row.opt_outs = sortOptOuts([...headerOptOuts(head.headers, o.agent), ...signals]);
    if (row.outcome !== 'fetched' || !payload) {
      if (exchange.ending === 'unwanted' && row.outcome === 'fetched')
        [row.outcome, row.reason] = ['not_page', 'media_type'];
      return [settle(row, store(entry.url, exchange, payload, exchange.ending === 'unwanted')), exchange];
    }
    const decoded = decodeBody(head, exchange.response, { bytes: maxBytes, ratio: RATIO });
    if ('reason' in decoded) {
      const tooMuch = decoded.reason === 'size' || decoded.reason === 'ratio';
      [row.outcome, row.reason] = [tooMuch ? 'refused' : 'failed', decoded.reason];
      return [settle(row, store(entry.url, exchange, payload, false)), exchange];
    }
    if (sitemap) {
      [row.outcome, row.reason] = ['not_page', 'sitemap'];
      const content = readSitemap(decoded.body, entry.url);
      return [settle(row, store(entry.url, exchange, payload, false), { sitemap: content }), exchange];
    }
    if (!isPage(row.media_type, decoded.body)) {
      [row.outcome, row.reason] = ['not_page', 'media_type'];
      return [settle(row, store(entry.url, exchange, payload, false)), exchange];
    }
    return [await settlePage(entry, row, exchange, payload, decoded.body, manners), exchange];
  }

  async function settlePage(
    entry: Entry,
    row: Capture,
    exchange: Exchange,
    payload: Buffer,
    body: Buffer,
    manners: Manners,
  ): Promise<Settled> {
    const head = exchange.head!;
    const signals = manners.signals(entry);
    if (row.media_type === 'text/plain')
      return settle(refuseOptOut(row, recipe.opt_outs), store(entry.url, exchange, payload, false));
    let facts = readPage(decodeForLinks(body, row.charset), entry.url, head, o.agent);
    const take = (f: PageFacts) => {
      row.opt_outs = sortOptOuts([...f.optOuts, ...signals]);
      row.licence = f.licence;
      refuseOptOut(row, recipe.opt_outs);
    };
    take(facts);
    const archived = !(
      row.outcome === 'refused' &&
      row.opt_outs.includes('noarchive') &&
      recipe.opt_outs.includes('noarchive')
    );
    let stored = store(entry.url, exchange, archived ? payload : null, !archived);
    if (row.outcome === 'fetched' && needsBrowser(facts)) {
      // The browser asks for the page once more: that is a request like another.
      if (o.browser !== noBrowser) await pause(manners.delay(entry) * 1000);
      const page = await o.browser.render(entry.url, manners.may);
      if (page && !('failed' in page)) {
        const block = Buffer.from(page.html);
        const id = recordId('conversion', entry.url, page.at, digestOf(block));
        const [place] = writer.write([renderedRecord(entry.url, id, stored!.id, page.at, block)]);
        stored = { id, place: place!, end: place! };
        Object.assign(row, { digest: digestOf(block), bytes: block.length, media_type: 'text/html', charset: 'utf-8' });
        facts = readPage(page.html, entry.url, head, o.agent);
        take(facts);
      } else [row.outcome, row.reason] = ['needs_browser', page ? page.failed : 'javascript'];
    }
    const urls = facts.links.map((l) => new URL(l));
    const links = urls.filter((u) => o.scope.host(u)).map((u) => u.href);
    return settle(row, stored, { links: links.toSorted(), outside: urls.length - links.length });
  }

  /** A robots.txt, with the redirects that RFC 9309 asks to be followed; the rules count for the first host. */
  async function visitRobots(entry: Entry, laneNumber: number): Promise<[Settled, Exchange | null]> {
    let url = entry.url;
    let last: Stored | null = null;
    for (let hop = 0; ; hop++) {
      const refusal = guard.refuses(new URL(url));
      if (refusal) {
        const row = emptyRow(recipe.name, entry, 'refused', refusal);
        return [settle(row, last, { robots: { text: null, reason: refusal } }), null];
      }
      const exchange = await fetch(url, laneNumber, LONGEST_ROBOTS, () => true);
      const { head, ending } = exchange;
      const row = rowOf(recipe.name, entry, exchange);
      const payload = head && ending === 'complete' ? payloadOf(head, exchange.response) : null;
      if (payload) Object.assign(row, { digest: digestOf(payload), bytes: payload.length });
      const stored = store(url, exchange, payload, false);
      last = stored ?? last;
      const location = row.outcome === 'redirected' && row.location ? row.location : null;
      if (location && hop < ROBOTS_HOPS) {
        url = location;
        continue;
      }
      const unreachable =
        !head || head.status! >= 500 || head.status === 429 || (ending !== 'complete' && ending !== 'size');
      if (unreachable) {
        row.outcome = 'failed';
        return [settle(row, last, { robots: { text: null, reason: 'robots_unreachable' } }), exchange];
      }
      [row.outcome, row.reason] = ['not_page', 'robots_txt'];
      const ok = head.status! >= 200 && head.status! < 300;
      const decoded = ok ? decodeBody(head, exchange.response, { bytes: 8 << 20, ratio: RATIO }) : null;
      const text = decoded && 'body' in decoded ? decoded.body.toString('utf8', 0, LONGEST_ROBOTS) : '';
      return [settle(row, last, { robots: { text, reason: null } }), exchange];
    }
  }

  return {
    async visit(entry, lane, attempt, manners) {
      const [settled, exchange] =
        entry.kind === 'robots' ? await visitRobots(entry, lane) : await visitPage(entry, lane, manners);
      const again = exchange && attempt <= recipe.retries ? patience(exchange, attempt, recipe.delay) : null;
      return { settled, againAfterMs: again };
    },
    async close() {
      await Promise.all([...lanes.values()].map(({ lane }) => lane.close()));
    },
  };
}

interface Stored {
  id: string;
  place: Place;
  end: Place;
}

const TRUNCATED: Partial<Record<Exchange['ending'], string>> = {
  size: 'length',
  timeout: 'time',
  disconnect: 'disconnect',
  unwanted: 'unspecified',
  failed: 'unspecified',
};

const placeOf = (folder: string, place: Place) => ({
  warc_file: join(folder, place.file),
  warc_offset: place.offset,
  warc_length: place.length,
});

/** Page-like types, and small things whose type may be a mistake. */
function wantsBody(head: HttpHead): boolean {
  const { mediaType } = contentType(head.headers);
  return (
    mediaType === null || /^(?:text\/|application\/(?:xhtml\+xml|xml|rss\+xml|atom\+xml|octet-stream))/.test(mediaType)
  );
}

/** What the answer alone says; `fetched` where it came whole with 200. */
function rowOf(source: string, entry: Entry, exchange: Exchange): Capture {
  const { head, ending, reason } = exchange;
  const row = emptyRow(source, entry, 'failed', reason);
  row.fetched_at = exchange.started;
  if (reason === 'address') row.outcome = 'refused';
  if (!head) return row;
  const { mediaType, charset } = contentType(head.headers);
  Object.assign(row, { status: head.status, media_type: mediaType, charset });
  const location = headerValues(head.headers, 'location')[0];
  if (head.status! >= 300 && head.status! < 400 && location !== undefined) {
    row.location = normaliseUrl(Buffer.from(location, 'latin1').toString('utf8'), entry.url);
    [row.outcome, row.reason] = row.location ? ['redirected', null] : ['failed', 'location'];
  } else if (ending === 'size') [row.outcome, row.reason] = ['refused', 'size'];
  else if (ending === 'complete' || ending === 'unwanted') [row.outcome, row.reason] = outcomeOfStatus(head.status!);
  return row;
}

const renderedRecord = (url: string, id: string, from: string, at: number, block: Buffer): RecordParts => ({
  type: 'conversion',
  id,
  date: at,
  url,
  contentType: 'text/html; charset=utf-8',
  fields: [['WARC-Refers-To', from]],
  block,
  payload: block,
});

/** How long to wait before another attempt [ms]: what Retry-After asks for, else longer each time; null where it is of no use. */
function patience(exchange: Exchange, attempt: number, delay: number): number | null {
  const { head, reason } = exchange;
  const busy = head?.status === 429 || head?.status === 503;
  if (!busy && reason !== 'connect' && reason !== 'disconnect') return null;
  const stated = head ? headerValues(head.headers, 'retry-after')[0] : undefined;
  const seconds =
    stated === undefined ? null : /^\d{1,9}$/.test(stated) ? Number(stated) : (Date.parse(stated) - Date.now()) / 1000;
  const wait =
    seconds === null || Number.isNaN(seconds)
      ? Math.max(delay, 0.5) * 1000 * 2 ** (attempt - 1)
      : Math.max(0, seconds * 1000);
  return wait > LONGEST_WAIT_MS ? null : wait;
}
