import { isLowerAt } from './spacy-affixes.ts';
import { codePointAt } from './units.ts';

const DOT = 0x2e;
const COLON = 0x3a;
const SLASH = 0x2f;
const AT = 0x40;
const LONGEST_LABEL = 64;
const LONGEST_TOP = 63;

const isDigit = (unit: number): boolean => unit >= 0x30 && unit <= 0x39;
const isLabel = (unit: number): boolean =>
  isDigit(unit) ||
  (unit >= 0x41 && unit <= 0x5a) ||
  (unit >= 0x61 && unit <= 0x7a) ||
  (unit >= 0xa1 && (unit & 0xf800) !== 0xd800);
const isInner = (unit: number): boolean => isLabel(unit) || unit === 0x5f || unit === 0x2d;
const isScheme = (unit: number): boolean =>
  (isLabel(unit) && unit < 0x80) || unit === 0x5f || unit === 0x2b || unit === 0x2d || unit === DOT;

/**
 * Whether a chunk is a URL or an address as spaCy sees it (its URL_PATTERN, after Diego Perini; MIT): a host with a lower-case
 * top-level domain, or an address in numbers; a scheme, a user, a port and a path may stand around it. Linear, unlike the
 * pattern, which tries every split of what stands before an "@".
 */
export function isUrl(units: Uint16Array, start: number, end: number): boolean {
  let dot = start;
  while (dot < end && units[dot] !== DOT) dot++;
  if (dot === end) return false;
  if (hostReaches(units, start, end)) return true;
  let scheme = start;
  while (scheme < end && isScheme(units[scheme]!)) scheme++;
  const slashes = units[scheme] === COLON && units[scheme + 1] === SLASH && units[scheme + 2] === SLASH;
  if (slashes && scheme - start >= 2 && scheme + 3 < end && hostReaches(units, scheme + 3, end)) return true;
  for (let i = start + 1; i < end; i++) if (units[i] === AT && hostReaches(units, i + 1, end)) return true;
  return false;
}

/** A host from `from`, then a port and a path if there are any, to the very end. */
function hostReaches(units: Uint16Array, from: number, end: number): boolean {
  return restFits(units, namedHost(units, from, end), end) || restFits(units, numericHost(units, from, end), end);
}

/** Behind a host: nothing, `:port`, or a path, a query or a fragment. */
function restFits(units: Uint16Array, hostEnd: number, end: number): boolean {
  if (hostEnd === -1) return false;
  const fits = (i: number) => i === end || units[i] === SLASH || units[i] === 0x3f || units[i] === 0x23;
  if (fits(hostEnd)) return true;
  if (units[hostEnd] !== COLON) return false;
  for (let i = hostEnd + 1; i < end && i <= hostEnd + 5 && isDigit(units[i]!); i++)
    if (i >= hostEnd + 2 && fits(i + 1)) return true;
  return false;
}

/** End of `label.label.top`, or -1. */
function namedHost(units: Uint16Array, from: number, end: number): number {
  let labels = 0;
  let start = from;
  for (;;) {
    let i = start;
    while (i < end && isInner(units[i]!)) i++;
    if (i < end && units[i] === DOT) {
      const fits = i > start && i - start <= LONGEST_LABEL && isLabel(units[start]!) && isLabel(units[i - 1]!);
      if (!fits) return -1;
      labels++;
      start = i + 1;
      continue;
    }
    return labels > 0 && isTop(units, start, i) ? i : -1;
  }
}

/** 2 to 63 lower-case letters. */
function isTop(units: Uint16Array, start: number, end: number): boolean {
  let letters = 0;
  for (let i = start; i < end; letters++) {
    if (!isLowerAt(units, i, end)) return false;
    i += codePointAt(units, i, end) > 0xffff ? 2 : 1;
  }
  return letters >= 2 && letters <= LONGEST_TOP;
}

/** Four numbers, of which the first is 1 to 223 and the last 1 to 254; no private or loopback network. */
const ADDRESS =
  /^(?!(?:10|127)(?:\.\d{1,3}){3})(?!(?:169\.254|192\.168)(?:\.\d{1,3}){2})(?!172\.(?:1[6-9]|2\d|3[0-1])(?:\.\d{1,3}){2})(?:[1-9]\d?|1\d\d|2[01]\d|22[0-3])(?:\.(?:1?\d{1,2}|2[0-4]\d|25[0-5])){2}(?:\.(?:[1-9]\d?|1\d\d|2[0-4]\d|25[0-4]))(?![\d.])/;

function numericHost(units: Uint16Array, from: number, end: number): number {
  if (from >= end || !isDigit(units[from]!)) return -1;
  const shown = String.fromCharCode(...units.subarray(from, Math.min(end, from + 16)));
  const match = ADDRESS.exec(shown);
  return match ? from + match[0].length : -1;
}
