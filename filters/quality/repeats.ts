import { codePoints, emptySpans, numberSpans, pushSpan, trimEnd, trimStart } from '../../core/text/index.ts';
import type { Text } from '../text.ts';

export interface Repeats {
  /** All parts [count]. */
  parts: number;
  /** Those that are equal to an earlier one [count]. */
  repeated: number;
  /** Characters of these [code points]. */
  characters: number;
}

const FEED = 10;

/** Paragraphs: the text without white space at its ends, cut where two line feeds or more stand together. */
export function repeatedParagraphs({ raw, units }: Text): Repeats {
  if (!raw.includes('\n\n')) return { parts: 1, repeated: 0, characters: 0 };
  const start = trimStart(units, 0, units.length);
  const end = trimEnd(units, start, units.length);
  const parts = emptySpans((end - start) / 64);
  let from = start;
  for (let i = units.indexOf(FEED, start); i !== -1 && i < end; i = units.indexOf(FEED, i)) {
    const first = i;
    while (units[i] === FEED) i++;
    if (i - first < 2) continue;
    pushSpan(parts, from, first);
    from = i;
  }
  pushSpan(parts, from, end);
  const { kinds, example } = numberSpans(units, parts);
  return count(parts.count, (i) => {
    if (example[kinds[i]!] === i) return -1;
    return codePoints(units, parts.bounds[2 * i], parts.bounds[2 * i + 1]);
  });
}

/** Lines: what lies between runs of line feeds; a run at an end of the text leaves an empty line there, as in a split at `\n+`. */
export function repeatedLines(text: Text): Repeats {
  const { feedLines } = text;
  const last = feedLines.count - 1;
  return repeats(text, (i, start, end) => i === 0 || i === last || end > start);
}

/** The parts between line feeds that are asked for. */
export function repeats(
  { units, feedLines, feedKinds }: Text,
  counts: (i: number, start: number, end: number) => boolean,
): Repeats {
  const seen = new Uint8Array(feedKinds.different);
  const result = { parts: 0, repeated: 0, characters: 0 };
  for (let i = 0; i < feedLines.count; i++) {
    const start = feedLines.bounds[2 * i]!;
    const end = feedLines.bounds[2 * i + 1]!;
    if (!counts(i, start, end)) continue;
    result.parts++;
    const kind = feedKinds.kinds[i]!;
    if (seen[kind]) {
      result.repeated++;
      result.characters += codePoints(units, start, end);
    }
    seen[kind] = 1;
  }
  return result;
}

/** Sums up parts; `length` gives -1 for one that repeats nothing. */
function count(parts: number, length: (i: number) => number): Repeats {
  const result = { parts, repeated: 0, characters: 0 };
  for (let i = 0; i < parts; i++) {
    const characters = length(i);
    if (characters < 0) continue;
    result.repeated++;
    result.characters += characters;
  }
  return result;
}
