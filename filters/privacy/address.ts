import { codeAt, digitOf, isWord } from './characters.ts';
import { gapAfter, groupCount, groupDigits, groupEnd, groupLength, groupStart, type NumberRun } from './numbers.ts';
import type { Span } from './spans.ts';

/** Words before four numbers with dots that make them a version or a section. */
const NO_ADDRESS =
  /(?:\b(?:v|ver|version|release|firmware|build|section|chapter|clause)|§|版本|章|节|条)[\s.:#：]{0,3}$/i;

/** Global IPv4 addresses in a run of numbers: four octets without leading zeros, no fifth number on either side. */
export function findIpv4(text: string, run: NumberRun, out: Span[]): void {
  const count = groupCount(run);
  for (let i = 0; i + 3 < count; i++) {
    if (!dots(text, run, i)) continue;
    const start = groupStart(run, i);
    const end = groupEnd(run, i + 3);
    if (isWord(codeAt(text, start - 1)) || isWord(codeAt(text, end))) continue;
    if (codeAt(text, start - 1) === 0x2e && isWord(codeAt(text, start - 2))) continue;
    if (codeAt(text, end) === 0x2e && digitOf(codeAt(text, end + 1)) >= 0) continue;
    if ([0, 1, 2, 3].some((k) => groupLength(run, i + k) > 3)) continue;
    const octets = [0, 1, 2, 3].map((k) => octet(groupDigits(text, run, i + k)));
    if (octets.includes(-1) || !isGlobalIpv4(octets)) continue;
    if (NO_ADDRESS.test(text.slice(Math.max(0, start - 16), start)) || isHeading(text, start, end)) continue;
    out.push({ start, end, type: 'IP_ADDRESS' });
    i += 3;
  }
}

/** `9.15.2.3. Functions` at the start of a line. */
const isHeading = (text: string, start: number, end: number): boolean =>
  (start === 0 || text.charCodeAt(start - 1) === 0x0a) && /^\.[ \t]{1,3}\p{L}/u.test(text.slice(end, end + 6));

const dots = (text: string, run: NumberRun, i: number): boolean =>
  gapAfter(text, run, i) === '.' && gapAfter(text, run, i + 1) === '.' && gapAfter(text, run, i + 2) === '.';

const octet = (digits: string): number =>
  (digits.length > 1 && digits.startsWith('0')) || Number(digits) > 255 ? -1 : Number(digits);

/** IANA's special-purpose registry: private, shared, loopback, link-local, documentation, benchmarking, multicast, reserved. */
function isGlobalIpv4(octets: readonly number[]): boolean {
  const [a, b, c] = octets as [number, number, number, number];
  if (a === 0 || a === 10 || a === 127 || a >= 224) return false;
  if (a === 100) return b < 64 || b > 127;
  if (a === 169) return b !== 254;
  if (a === 172) return b < 16 || b > 31;
  if (a === 192) return !(b === 168 || (b === 0 && (c === 0 || c === 2)) || (b === 88 && c === 99));
  if (a === 198) return !(b === 18 || b === 19 || (b === 51 && c === 100));
  return !(a === 203 && b === 0 && c === 113);
}

/** 39 characters of eight groups; a zone or an embedded IPv4 address makes it no global one. */
const LONGEST_IPV6 = 45;

const isHex = (code: number): boolean => digitOf(code) >= 0 || ((code | 32) >= 97 && (code | 32) <= 102);

/**
 * Global IPv6 addresses. All eight groups are taken wherever they are global; the short form with `::` only in 2000::/3,
 * since `::` stands in programs and `dead::` in names.
 */
export function findIpv6(text: string, out: Span[]): void {
  for (let i = text.indexOf(':'); i !== -1; i = text.indexOf(':', i)) {
    const next = codeAt(text, i + 1);
    const before = codeAt(text, i - 1);
    if (!(isHex(next) || next === 0x3a) || !isHex(before)) {
      i++;
      continue;
    }
    let start = i;
    while (start > 0 && i - start <= 4 && isHex(text.charCodeAt(start - 1))) start--;
    let end = i;
    while (end < text.length && end - start <= LONGEST_IPV6 && isPart(text.charCodeAt(end))) end++;
    const tail = codeAt(text, end);
    let last = end;
    while (text.charCodeAt(last - 1) === 0x3a && text.charCodeAt(last - 2) !== 0x3a) last--;
    const alone = !isWord(codeAt(text, start - 1)) && codeAt(text, start - 1) !== 0x3a && !isWord(tail);
    const goesOn = tail === 0x2e && isWord(codeAt(text, end + 1));
    if (alone && !goesOn && isGlobalIpv6(text.slice(start, last))) out.push({ start, end: last, type: 'IP_ADDRESS' });
    i = Math.max(end, i + 1);
  }
}

const isPart = (code: number): boolean => code === 0x3a || isHex(code);

function isGlobalIpv6(address: string): boolean {
  const halves = address.split('::');
  if (halves.length > 2) return false;
  const head = halves[0] === '' ? [] : halves[0]!.split(':');
  const tail = halves.length === 2 && halves[1] !== '' ? halves[1]!.split(':') : [];
  const groups = [...head, ...tail];
  if (groups.some((g) => g.length === 0 || g.length > 4)) return false;
  const short = halves.length === 2;
  if (short ? groups.length > 7 || groups.length < 2 : groups.length !== 8) return false;
  const first = Number.parseInt(groups[0]!, 16);
  const second = Number.parseInt(groups[1]!, 16);
  if (short && (head.length === 0 || first < 0x2000 || first > 0x3fff)) return false;
  return isGlobalPrefix(first, second);
}

/** Not unspecified or mapped, unique local, link-local, site-local, multicast, documentation, discard. */
function isGlobalPrefix(first: number, second: number): boolean {
  if (first === 0 || first === 0x100) return false;
  if ((first & 0xfe00) === 0xfc00 || (first & 0xff00) === 0xfe00 || (first & 0xff00) === 0xff00) return false;
  return !(first === 0x2001 && (second === 0xdb8 || second < 0x200)) && !(first === 0x3fff && second < 0x1000);
}
