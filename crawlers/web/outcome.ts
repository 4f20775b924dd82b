import type { Capture } from '../../core/records/index.ts';

export type Outcome = 'fetched' | 'redirected' | 'failed' | 'refused' | 'skipped' | 'needs_browser' | 'not_page';

/** What a status says of an answer that came whole; redirects with a place to go to are judged before. */
export function outcomeOfStatus(status: number): [Outcome, string | null] {
  if (status === 200 || status === 203) return ['fetched', null];
  return [status < 300 ? 'not_page' : 'failed', `status_${status}`];
}

/** Whether an answer is a page that text can be taken from: HTML or plain text by its type, or HTML by its first bytes where it has none. */
export function isPage(mediaType: string | null, body: Buffer): boolean {
  if (mediaType === 'text/html' || mediaType === 'application/xhtml+xml' || mediaType === 'text/plain') return true;
  if (mediaType !== null && mediaType !== 'application/octet-stream') return false;
  return /^\s{0,200}<(?:!doctype html|html|head|body)[\s>]/i.test(body.toString('latin1', 0, 512));
}

/** The first stated opt-out that is obeyed makes a page refused: it stays captured, and nothing later reads its text. */
export function refuseOptOut(row: Capture, obeyed: readonly string[]): Capture {
  const stated = row.opt_outs.find((word) => obeyed.includes(word));
  if (stated !== undefined && row.outcome === 'fetched') [row.outcome, row.reason] = ['refused', stated];
  return row;
}
