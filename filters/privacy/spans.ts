/** What can be found, the most specific first: of two findings over the same characters the earlier type stays. */
export const TYPES = [
  'EMAIL_ADDRESS',
  'IBAN_CODE',
  'CN_ID',
  'CREDIT_CARD',
  'US_SSN',
  'IP_ADDRESS',
  'CN_MOBILE',
  'PHONE_NUMBER',
] as const;

export type PrivacyType = (typeof TYPES)[number];

/** A finding; offsets are UTF-16 code units of the text that was searched. */
export interface Span {
  start: number;
  end: number;
  type: PrivacyType;
}

/** Of findings that overlap the longest stays, then the most specific, then the first; the rest come in text order. */
export function settle(spans: readonly Span[]): Span[] {
  if (spans.length < 2) return [...spans];
  const byStart = spans.toSorted((a, b) => a.start - b.start || b.end - a.end || rank(a) - rank(b));
  const kept: Span[] = [];
  // Only findings of one connected stretch can overlap, so a stretch is settled alone and the whole stays near-linear.
  for (let from = 0; from < byStart.length;) {
    let to = from + 1;
    let end = byStart[from]!.end;
    while (to < byStart.length && byStart[to]!.start < end) end = Math.max(end, byStart[to++]!.end);
    for (const span of settleStretch(byStart.slice(from, to))) kept.push(span);
    from = to;
  }
  return kept;
}

const rank = (span: Span): number => TYPES.indexOf(span.type);

function settleStretch(spans: readonly Span[]): Span[] {
  if (spans.length === 1) return [...spans];
  const best = spans.toSorted((a, b) => b.end - b.start - (a.end - a.start) || rank(a) - rank(b) || a.start - b.start);
  // A stretch may be one chain of a million addresses: looking at what is taken beats comparing with every one kept.
  const first = spans[0]!.start;
  const taken = new Uint8Array(spans.reduce((end, span) => Math.max(end, span.end), 0) - first);
  const kept = best.filter(({ start, end }) => {
    if (taken.subarray(start - first, end - first).includes(1)) return false;
    taken.fill(1, start - first, end - first);
    return true;
  });
  return kept.toSorted((a, b) => a.start - b.start);
}
