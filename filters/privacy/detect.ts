import type { CountryCode } from 'libphonenumber-js/max';
import { findIpv4, findIpv6 } from './address.ts';
import { findCards } from './card.ts';
import { findEmails } from './email.ts';
import { ibanAt } from './iban.ts';
import { findChineseIds, findSsns } from './identity.ts';
import { groupCount, groupEnd, groupStart, numberRuns, type NumberRun } from './numbers.ts';
import { findChineseMobiles, findPhones } from './phone.ts';
import { settle, type Span } from './spans.ts';

/** What to look for. */
export interface DetectOptions {
  emails: boolean;
  /** Regions whose national forms count, null for no phones. */
  phones: readonly CountryCode[] | null;
  cards: boolean;
  /** Chinese resident identity numbers and US social security numbers. */
  ids: boolean;
  ibans: boolean;
  addresses: boolean;
}

export const ALL: DetectOptions = {
  emails: true,
  phones: ['US', 'GB', 'CN'],
  cards: true,
  ids: true,
  ibans: true,
  addresses: true,
};

/**
 * Personal data in a text by pattern and checksum: spans in text order that do not overlap, UTF-16 offsets. Time is
 * linear in the text; any string gives an answer.
 */
export function detect(text: string, options: DetectOptions = ALL): Span[] {
  const spans: Span[] = [];
  if (options.emails) findEmails(text, spans);
  if (options.addresses) findIpv6(text, spans);
  if (!(options.phones || options.cards || options.ids || options.ibans || options.addresses)) return settle(spans);
  for (const run of numberRuns(text)) inRun(text, run, options, spans);
  return settle(spans);
}

function inRun(text: string, run: NumberRun, options: DetectOptions, spans: Span[]): void {
  const count = groupCount(run);
  if (options.ibans) findIbans(text, run, spans);
  if (count === 1 && groupEnd(run, 0) - groupStart(run, 0) < 7) return;
  const found: Span[] = [];
  if (options.addresses && count >= 4) findIpv4(text, run, found);
  if (options.ids) {
    findChineseIds(text, run, found);
    findSsns(text, run, found);
  }
  if (options.cards) findCards(text, run, found);
  if (options.phones) {
    if (options.phones.includes('CN')) findChineseMobiles(text, run, found);
    findPhones(text, run, options.phones, found, found);
  }
  spans.push(...found);
}

function findIbans(text: string, run: NumberRun, out: Span[]): void {
  for (let i = 0; i < groupCount(run); i++) {
    const iban = ibanAt(text, groupStart(run, i));
    if (iban) out.push(iban);
  }
}
