import type { Capture } from '../../core/records/index.ts';
import { recordId } from './warc-writer.ts';

/** A URL on its way through the crawl. */
export interface Entry {
  url: string;
  /** Host and port. */
  site: string;
  kind: 'page' | 'robots' | 'sitemap';
  /** Links followed from a seed [count]. */
  depth: number;
  /** The smallest URL of those on which it was found first. */
  referrer: string | null;
  /** The URLs that redirected here, one after another; for sitemaps those that named it. */
  chain: string[];
}

/** A row for a URL about which nothing is known yet. */
export const emptyRow = (source: string, entry: Entry, outcome: string, reason: string | null): Capture => ({
  id: recordId('refusal', source, entry.url),
  source,
  url: entry.url,
  referrer: entry.referrer,
  depth: entry.depth,
  fetched_at: null,
  status: null,
  media_type: null,
  charset: null,
  bytes: null,
  digest: null,
  warc_file: null,
  warc_offset: null,
  warc_length: null,
  outcome,
  reason,
  location: null,
  opt_outs: [],
  licence: null,
});
