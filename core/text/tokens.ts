import { BASIC, PUNCTUATION_CATEGORY, SENTENCE_END, WHITE } from './characters.ts';
import { classAt, codePointAt, emptySpans, pushSpan, type Spans } from './units.ts';

/** Tokens without those of white space. */
export function wordsOf(units: Uint16Array, tokens: Spans): Spans {
  const words = emptySpans(tokens.count);
  for (let i = 0; i < tokens.count; i++) {
    const start = tokens.bounds[2 * i]!;
    if (!(BASIC[units[start]!]! & WHITE)) pushSpan(words, start, tokens.bounds[2 * i + 1]!);
  }
  return words;
}

/**
 * Sentences of a stretch by spaCy's sentencizer: one starts at the first token behind an end mark that is neither an end mark
 * nor punctuation. Each runs from the end of the one before. A stretch without tokens is one sentence.
 */
export function sentencesOf(units: Uint16Array, tokens: Spans, start: number, end: number): Spans {
  const sentences = emptySpans(4);
  cutSentences(units, tokens, start, end, sentences);
  return sentences;
}

/** How many there are, at least 1; those that `into` is given for are appended to it. */
export function cutSentences(units: Uint16Array, tokens: Spans, start: number, end: number, into?: Spans): number {
  let count = 1;
  let from = start;
  let last = start;
  let ended = false;
  for (let i = firstFrom(tokens, start); i < tokens.count && tokens.bounds[2 * i]! < end; i++) {
    const a = tokens.bounds[2 * i]!;
    const b = Math.min(end, tokens.bounds[2 * i + 1]!);
    const isEnd = isEndMark(units, a, b);
    if (ended && !isEnd && !isPunctuation(units, a, b)) {
      if (into) pushSpan(into, from, last);
      count++;
      from = last;
      ended = false;
    } else if (isEnd) ended = true;
    last = b;
  }
  if (into) pushSpan(into, from, end);
  return count;
}

/** The first token that starts at or after `start`. */
function firstFrom({ count, bounds }: Spans, start: number): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (bounds[2 * middle]! < start) low = middle + 1;
    else high = middle;
  }
  return low;
}

function isEndMark(units: Uint16Array, start: number, end: number): boolean {
  if (end - start > 2 || !(classAt(units, start, end) & SENTENCE_END)) return false;
  return end - start === 1 || codePointAt(units, start, end) > 0xffff;
}

function isPunctuation(units: Uint16Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) {
    if (!(classAt(units, i, end) & PUNCTUATION_CATEGORY)) return false;
    if (codePointAt(units, i, end) > 0xffff) i++;
  }
  return true;
}
