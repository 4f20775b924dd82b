import { codeAt, digitOf, isLatinLetter, isLetter } from './characters.ts';
import type { Span } from './spans.ts';

/** RFC 5321: 64 characters before the @, 253 of a domain, 63 of a label. */
const LONGEST_LOCAL = 64;
const LONGEST_DOMAIN = 253;
const LONGEST_LABEL = 63;

const LOCAL_MARKS = new Set([..."._%+-!#$&'*^`{}~"].map((c) => c.charCodeAt(0)));

const isLocal = (code: number): boolean =>
  isLetter(code) || (code >= 0x30 && code <= 0x39) || LOCAL_MARKS.has(code) || isLatinLetter(code);

/** Last labels of file names, as in icon@2x.png; no top-level domain among them is used for mail. */
const FILES = new Set(
  'png jpg jpeg gif svg webp avif ico bmp css js mjs ts tsx jsx json html htm xml php py rb mp4 mp3 pdf zip'.split(' '),
);

/**
 * E-mail addresses, also straight after Chinese characters. Anchored on the @ and extended by hand within RFC 5321's
 * lengths, so that the time is linear for any text.
 */
export function findEmails(text: string, out: Span[]): void {
  for (const at of ['@', '\uff20']) {
    for (let i = text.indexOf(at); i !== -1; i = text.indexOf(at, i + 1)) {
      const start = localStart(text, i);
      if (start === -1 || isCredential(text, start, i)) continue;
      const end = domainEnd(text, i + 1);
      if (end !== -1) out.push({ start, end, type: 'EMAIL_ADDRESS' });
    }
  }
}

/** Where the part before the @ begins, or -1. */
function localStart(text: string, at: number): number {
  if (codeAt(text, at - 1) === 0x22) return quotedStart(text, at - 1);
  const floor = Math.max(0, at - LONGEST_LOCAL - 1);
  let start = at;
  while (start > floor && isLocal(text.charCodeAt(start - 1))) start--;
  // An ellipsis ends what came before it; two dots in a row are no address at all.
  const ellipsis = text.slice(start, at).lastIndexOf('...');
  if (ellipsis !== -1) start += ellipsis + 3;
  if (text.slice(start, at).includes('..')) return -1;
  while (start < at && !startsLocal(text.charCodeAt(start))) start++;
  const length = at - start;
  return length === 0 || length > LONGEST_LOCAL || codeAt(text, at - 1) === 0x2e ? -1 : start;
}

const startsLocal = (code: number): boolean =>
  isLetter(code) || (code >= 0x30 && code <= 0x39) || code === 0x5f || isLatinLetter(code);

function quotedStart(text: string, close: number): number {
  const floor = Math.max(0, close - LONGEST_LOCAL);
  for (let i = close - 1; i >= floor; i--) {
    const code = text.charCodeAt(i);
    if (code === 0x0a) return -1;
    if (code === 0x22 && codeAt(text, i - 1) !== 0x5c) return i + 1 < close ? i : -1;
  }
  return -1;
}

/** `https://user:secret@host` and `git@github.com:` are no mail. */
function isCredential(text: string, start: number, at: number): boolean {
  const before = text.slice(Math.max(0, start - LONGEST_LOCAL), start);
  if (/:\/\/[^\s/@]{0,64}$/.test(before)) return true;
  if (text.slice(start, at) !== 'git') return false;
  return /^[a-z0-9.-]{1,64}:\S/i.test(text.slice(at + 1, at + 67));
}

/** Where the domain ends, or -1: dotted labels, the last of at least two letters. */
function domainEnd(text: string, from: number): number {
  const plain = labelsEnd(text, from, isAsciiLabel);
  return plain === -1 ? labelsEnd(text, from, isAnyLabel) : plain;
}

const isAsciiLabel = (code: number): boolean => isLetter(code) || (code >= 0x30 && code <= 0x39) || code === 0x2d;

/** Names beyond ASCII, as in müller.de; marks of punctuation and blanks end them. */
const isAnyLabel = (code: number): boolean =>
  isAsciiLabel(code) || isLatinLetter(code) || (code >= 0x370 && code < 0x2000) || (code >= 0x3400 && code < 0xd800);

function labelsEnd(text: string, from: number, isLabel: (code: number) => boolean): number {
  const ceiling = Math.min(text.length, from + LONGEST_DOMAIN + 1);
  let end = -1;
  let label = from;
  for (let i = from; ; i++) {
    const code = i < ceiling ? text.charCodeAt(i) : 0;
    if (code !== 0 && isLabel(code)) continue;
    if (i === ceiling && i < text.length) return -1;
    const length = i - label;
    if (length === 0 || length > LONGEST_LABEL || codeAt(text, label) === 0x2d) break;
    let last = i;
    while (text.charCodeAt(last - 1) === 0x2d) last--;
    if (label > from && isTop(text.slice(label, last))) end = last;
    if (code !== 0x2e || last !== i) break;
    label = i + 1;
  }
  return end;
}

function isTop(label: string): boolean {
  if (label.length < 2 || FILES.has(label.toLowerCase())) return false;
  if (/^xn--[a-z0-9-]{1,59}$/i.test(label)) return true;
  for (let i = 0; i < label.length; i++) {
    const code = label.charCodeAt(i);
    if (digitOf(code) >= 0 || code === 0x2d) return false;
  }
  return true;
}
