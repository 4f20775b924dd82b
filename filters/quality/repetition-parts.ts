import {
  codePoints,
  emptySpans,
  numberSpans,
  pushSpan,
  trimEnd,
  trimStart,
  type Spans,
} from '../../core/text/index.ts';

const FEED = 10;

/** Parts of a stretch between runs of at least `feeds` line feeds, as a split at `\n{feeds,}` gives them. */
export function partsBetween(units: Uint16Array, start: number, end: number, feeds: number): Spans {
  const parts = emptySpans((end - start) / 64);
  let from = start;
  for (let i = start; i < end; i++) {
    if (units[i] !== FEED) continue;
    let run = i;
    while (run < end && units[run] === FEED) run++;
    if (run - i >= feeds) {
      pushSpan(parts, from, i);
      from = run;
    }
    i = run - 1;
  }
  pushSpan(parts, from, end);
  return parts;
}

/** Paragraphs: the text without white space at its ends, cut where two line feeds or more stand together. */
export function paragraphs(units: Uint16Array): Spans {
  const start = trimStart(units, 0, units.length);
  return partsBetween(units, start, trimEnd(units, start, units.length), 2);
}

/** How many parts repeat an earlier one, and their characters [code points]. */
export function repeats(units: Uint16Array, parts: Spans): { count: number; characters: number } {
  const { different, kinds, example } = numberSpans(units, parts);
  const count = parts.count - different;
  if (count === 0) return { count, characters: 0 };
  let characters = 0;
  for (let i = 0; i < parts.count; i++)
    if (example[kinds[i]!] !== i) characters += codePoints(units, parts.bounds[2 * i]!, parts.bounds[2 * i + 1]!);
  return { count, characters };
}
