import { isUtf8 } from 'node:buffer';
import { createRequire } from 'node:module';
import { getEncoding } from 'encoding-sniffer';

/** What decided the encoding, in the order in which it is asked. */
export type EncodingSource = 'bom' | 'header' | 'document' | 'utf-8' | 'detected' | 'default';

export interface Decoded {
  text: string;
  /** WHATWG name in lower case, e.g. `gbk`. */
  encoding: string;
  source: EncodingSource;
  /** What header or document said where the text was decoded otherwise, because the bytes contradict it. */
  overruled?: string;
  /** U+FFFD that decoding put in. */
  replacements: number;
}

/** Bytes that the detector sees; below the confidence, windows-1252 is as good a guess. */
const SAMPLE = 32 << 10;
const CONFIDENCE = 0.05;
/** More bad sequences than this share of the characters outside ASCII, and the declared encoding is doubted. */
const DOUBT = 0.01;

/**
 * Bytes of a page or text → string. Byte order mark, HTTP header, the page's own word (HTML Standard's prescan of 1,024
 * bytes, XML declaration), strict UTF-8, a detector on 32 kB, windows-1252. Two corrections to the standard, for a corpus:
 * bytes that are valid UTF-8 with multi-byte sequences are UTF-8 whatever is declared; a declaration that leaves more than
 * 1 % of the characters outside ASCII undecodable is held against the detector's guess.
 */
export function decode(bytes: Uint8Array, headerCharset?: string | null): Decoded {
  const bom = byteOrderMark(bytes);
  if (bom) return { ...decodeAs(bytes.subarray(bom.length), bom.encoding), encoding: bom.encoding, source: 'bom' };
  const header = headerCharset ? encodingOf(headerCharset) : null;
  const stated = header ?? prescan(bytes);
  const source = header ? 'header' : 'document';
  const wide = zeroBytes(bytes);
  if (wide)
    return { ...decodeAs(bytes, wide), encoding: wide, source: 'detected', ...(stated ? { overruled: stated } : {}) };
  const whole = bytes.subarray(0, wholeSequences(bytes));
  const utf8 = isUtf8(whole) && (whole.length === bytes.length || multiByte(whole));
  if (utf8 && (stated === 'utf-8' || stated === null || (!stated.startsWith('utf-16') && multiByte(bytes)))) {
    const overruled = stated === null || stated === 'utf-8' ? {} : { overruled: stated };
    const how = stated === 'utf-8' ? source : 'utf-8';
    return { ...decodeAs(bytes, 'utf-8'), encoding: 'utf-8', source: how, ...overruled };
  }
  if (stated !== null) {
    const as = decodeAs(bytes, stated);
    if (as.replacements === 0 || as.replacements <= DOUBT * outsideAscii(as.text))
      return { ...as, encoding: stated, source };
    const guess = detect(bytes);
    const other = guess && guess !== stated ? decodeAs(bytes, guess) : null;
    return other && other.replacements < as.replacements / 10
      ? { ...other, encoding: guess!, source: 'detected', overruled: stated }
      : { ...as, encoding: stated, source };
  }
  const guess = detect(bytes);
  if (guess !== null) return { ...decodeAs(bytes, guess), encoding: guess, source: 'detected' };
  return { ...decodeAs(bytes, 'windows-1252'), encoding: 'windows-1252', source: 'default' };
}

function byteOrderMark(b: Uint8Array): { encoding: string; length: number } | null {
  if (b[0] === 0xef && b[1] === 0xbb && b[2] === 0xbf) return { encoding: 'utf-8', length: 3 };
  if (b[0] === 0xfe && b[1] === 0xff) return { encoding: 'utf-16be', length: 2 };
  if (b[0] === 0xff && b[1] === 0xfe) return { encoding: 'utf-16le', length: 2 };
  return null;
}

/** A label in WHATWG's table → its encoding's name; null for unknown ones and for "replacement". */
function encodingOf(label: string): string | null {
  const name = label.trim().toLowerCase();
  if (name === 'x-user-defined') return 'windows-1252';
  if (/^(iso[-_]?8859[-_]?16|l10|latin10)$/.test(name)) return 'iso-8859-16';
  try {
    return new TextDecoder(name).encoding;
  } catch {
    return null;
  }
}

/** The document's own word. The sniffer always answers; asked with two defaults, only what was found is the same twice. */
function prescan(bytes: Uint8Array): string | null {
  const head = bytes.subarray(0, 1 << 14);
  const [one, other] = ['koi8-r', 'ibm866'].map((defaultEncoding) =>
    getEncoding(head, { maxBytes: 1024, defaultEncoding }),
  );
  return one === other ? encodingOf(one!) : null;
}

/** Length without a sequence that the end of the input cuts. */
function wholeSequences(bytes: Uint8Array): number {
  for (let back = 1; back <= 3 && back <= bytes.length; back++) {
    const b = bytes[bytes.length - back]!;
    if (b < 0x80) return bytes.length;
    if (b >= 0xc0) return (b >= 0xf0 ? 4 : b >= 0xe0 ? 3 : 2) > back ? bytes.length - back : bytes.length;
  }
  return bytes.length;
}

/** Valid UTF-8 that is not so by chance: a sequence of three bytes, or three of two. */
function multiByte(bytes: Uint8Array): boolean {
  let two = 0;
  for (const b of bytes) {
    if (b >= 0xe0) return true;
    if (b >= 0xc0 && ++two === 3) return true;
  }
  return false;
}

function outsideAscii(text: string): number {
  let n = 0;
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 127) n++;
  return n;
}

/** The 32 places of windows-1252 that Node 20's TextDecoder leaves as control characters. */
const WINDOWS_1252 =
  '\u20AC\u0081\u201A\u0192\u201E\u2026\u2020\u2021\u02C6\u2030\u0160\u2039\u0152\u008D\u017D\u008F' +
  '\u0090\u2018\u2019\u201C\u201D\u2022\u2013\u2014\u02DC\u2122\u0161\u203A\u0153\u009D\u017E\u0178';

function decodeAs(bytes: Uint8Array, encoding: string): { text: string; replacements: number } {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (encoding === 'windows-1252') {
    const text = buffer.toString('latin1').replace(/[\u0080-\u009F]/g, (c) => WINDOWS_1252[c.charCodeAt(0) - 128]!);
    return { text, replacements: 0 };
  }
  if (encoding === 'iso-8859-16') {
    const iconv = createRequire(import.meta.url)('iconv-lite') as { decode(b: Buffer, name: string): string };
    return { text: iconv.decode(buffer, 'iso-8859-16'), replacements: 0 };
  }
  const text = new TextDecoder(encoding).decode(bytes);
  let replacements = 0;
  for (let i = text.indexOf('\uFFFD'); i !== -1; i = text.indexOf('\uFFFD', i + 1)) replacements++;
  return { text, replacements };
}

/** Names of the detector that WHATWG does not know, or knows by a superset. */
const DETECTED: Record<string, string> = {
  ascii: 'windows-1252',
  gb2312: 'gbk',
  'hz-gb-2312': 'gbk',
  cp932: 'shift_jis',
  cp949: 'euc-kr',
  uhc: 'euc-kr',
  maccyrillic: 'x-mac-cyrillic',
  'mac-cyrillic': 'x-mac-cyrillic',
  macroman: 'macintosh',
  'mac-roman': 'macintosh',
  'tis-620': 'windows-874',
  big5hkscs: 'big5',
  'big5-hkscs': 'big5',
  'euc-jis-2004': 'euc-jp',
  shift_jis_2004: 'shift_jis',
  'iso-8859-1': 'windows-1252',
  'iso-8859-15': 'windows-1252',
  'iso-8859-9': 'windows-1254',
  'iso-8859-11': 'windows-874',
};

type Detector = { detect(b: Uint8Array): { encoding: string | null; confidence: number } };
let detector: Detector | undefined;

function detect(bytes: Uint8Array): string | null {
  detector ??= createRequire(import.meta.url)('jschardet') as Detector;
  const { encoding, confidence } = detector.detect(sample(bytes));
  if (!encoding || confidence < CONFIDENCE) return null;
  const name = encoding.toLowerCase();
  return encodingOf(DETECTED[name] ?? name);
}

/** UTF-16 without a mark: zero bytes in a third of the even or of the odd places, and hardly any in the others. */
function zeroBytes(bytes: Uint8Array): 'utf-16le' | 'utf-16be' | null {
  const n = Math.min(bytes.length, 4096);
  const zeros = [0, 0];
  for (let i = 0; i < n; i++) if (bytes[i] === 0) zeros[i & 1]!++;
  const [even, odd] = zeros as [number, number];
  if (odd > n / 6 && even < odd / 20) return 'utf-16le';
  if (even > n / 6 && odd < even / 20) return 'utf-16be';
  return null;
}

/** What tells encodings apart: bytes above 127 with sixteen neighbours on each side; long runs of ASCII (markup) are cut out. */
function sample(bytes: Uint8Array): Uint8Array {
  const near = 16;
  const out = new Uint8Array(SAMPLE);
  let size = 0;
  let last = -1;
  const end = Math.min(bytes.length, 2 << 20);
  for (let i = 0; i < end && size < SAMPLE; i++) {
    if (bytes[i]! < 0x80 && bytes[i] !== 0x1b) continue;
    const from = Math.max(i - near, last + 1);
    if (from > last + 1 && size < SAMPLE) out[size++] = 10;
    let to = i;
    for (let gap = 0; to + 1 < end && gap < near; to++) gap = bytes[to + 1]! < 0x80 ? gap + 1 : 0;
    for (let j = from; j <= to && size < SAMPLE; j++) out[size++] = bytes[j]!;
    last = to;
    i = to;
  }
  return out.subarray(0, size);
}
