import { BASIC, classOf, LINE_BREAK, WHITE } from './characters.ts';

/** The UTF-16 code units of a text: every scan runs over these. Lone surrogates stay as they are. */
export function codeUnits(text: string): Uint16Array {
  const bytes = Buffer.allocUnsafeSlow(text.length * 2);
  bytes.write(text, 'utf16le');
  return new Uint16Array(bytes.buffer, 0, text.length);
}

/** The first half of a surrogate pair. */
export const isHigh = (unit: number): boolean => (unit & 0xfc00) === 0xd800;
/** The second half of a surrogate pair. */
export const isLow = (unit: number): boolean => (unit & 0xfc00) === 0xdc00;

/** The code point at `i`, or the unit itself where it is a lone surrogate; it is 2 units wide from 0x10000 on. */
export function codePointAt(units: Uint16Array, i: number, end: number): number {
  const unit = units[i]!;
  if (!isHigh(unit) || i + 1 >= end || !isLow(units[i + 1]!)) return unit;
  return ((unit - 0xd800) << 10) + (units[i + 1]! - 0xdc00) + 0x10000;
}

/** Classes of the character that starts at `i`. */
export function classAt(units: Uint16Array, i: number, end: number): number {
  const unit = units[i]!;
  return isHigh(unit) ? classOf(codePointAt(units, i, end)) : BASIC[unit]!;
}

/** Classes of the character that ends before `end`. */
export function classBefore(units: Uint16Array, start: number, end: number): number {
  const unit = units[end - 1]!;
  if (isLow(unit) && end - 2 >= start && isHigh(units[end - 2]!)) return classAt(units, end - 2, end);
  return BASIC[unit]!;
}

/** Length of a stretch [code points]; a lone surrogate counts as one. */
export function codePoints(units: Uint16Array, start = 0, end: number = units.length): number {
  let pairs = 0;
  for (let i = start; i + 1 < end; i++)
    if (isHigh(units[i]!) && isLow(units[i + 1]!)) {
      pairs++;
      i++;
    }
  return end - start - pairs;
}

/** Where Python's lstrip() would let the stretch start. */
export function trimStart(units: Uint16Array, start: number, end: number): number {
  let i = start;
  while (i < end && BASIC[units[i]!]! & WHITE) i++;
  return i;
}

/** Where Python's rstrip() would let the stretch end. */
export function trimEnd(units: Uint16Array, start: number, end: number): number {
  let i = end;
  while (i > start && BASIC[units[i - 1]!]! & WHITE) i--;
  return i;
}

/** Whether Python's strip() would leave nothing. */
export const isBlank = (units: Uint16Array, start: number, end: number): boolean =>
  trimStart(units, start, end) === end;

/** A growing list of stretches: `bounds[2i]` to `bounds[2i + 1]` [code units]. */
export interface Spans {
  count: number;
  bounds: Int32Array;
}

/** Room for about so many spans; it grows. */
export const emptySpans = (expected: number): Spans => ({ count: 0, bounds: new Int32Array(2 * expected + 16) });

/** Adds the span start … end [UTF-16 code units]. */
export function pushSpan(spans: Spans, start: number, end: number): void {
  const at = 2 * spans.count++;
  if (at + 2 > spans.bounds.length) {
    const wider = new Int32Array(spans.bounds.length * 2);
    wider.set(spans.bounds);
    spans.bounds = wider;
  }
  spans.bounds[at] = start;
  spans.bounds[at + 1] = end;
}

/** The lines of Python's splitlines(): none for an empty text, no empty one after a last line break. */
export function splitLines(units: Uint16Array): Spans {
  const lines = emptySpans(units.length / 64);
  let start = 0;
  for (let i = 0; i < units.length; i++) {
    if (!(BASIC[units[i]!]! & LINE_BREAK)) continue;
    pushSpan(lines, start, i);
    if (units[i] === 13 && units[i + 1] === 10) i++;
    start = i + 1;
  }
  if (start < units.length) pushSpan(lines, start, units.length);
  return lines;
}

/** The parts between line feeds, as split("\n") gives them: one for an empty text. */
export function splitFeeds(units: Uint16Array): Spans {
  const lines = emptySpans(units.length / 64);
  let start = 0;
  for (let i = units.indexOf(10); i !== -1; i = units.indexOf(10, start)) {
    pushSpan(lines, start, i);
    start = i + 1;
  }
  pushSpan(lines, start, units.length);
  return lines;
}
