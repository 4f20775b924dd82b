import { BASIC, SENTENCE_END, UNICODE_WHITE, WHITE, WORD } from './characters.ts';
import { classAt, codePointAt, emptySpans, isBlank, pushSpan, type Spans } from './units.ts';

const APOSTROPHE = 0x27;
const RIGHT_QUOTE = 0x2019;

/**
 * Words by the plain rule: `[\p{L}\p{M}\p{N}_]+(?:['’][\p{L}\p{M}\p{N}_]+)*|[^\p{L}\p{M}\p{N}_\p{White_Space}]`.
 * A mark is a word of its own; control characters that Python takes for white space are none.
 */
export function simpleWords(units: Uint16Array): Spans {
  const end = units.length;
  const words = emptySpans(end / 5);
  for (let i = 0; i < end;) {
    const start = i;
    const kind = classAt(units, i, end);
    if (kind & WORD) {
      i = runOfWord(units, i, end);
      while (i + 1 < end && (units[i] === APOSTROPHE || units[i] === RIGHT_QUOTE) && classAt(units, i + 1, end) & WORD)
        i = runOfWord(units, i + 1, end);
      pushSpan(words, start, i);
    } else {
      i += codePointAt(units, i, end) > 0xffff ? 2 : 1;
      if (!(kind & (UNICODE_WHITE | WHITE))) pushSpan(words, start, i);
    }
  }
  return words;
}

function runOfWord(units: Uint16Array, from: number, end: number): number {
  let i = from;
  while (i < end) {
    const unit = units[i]!;
    if ((unit & 0xf800) !== 0xd800) {
      if (!(BASIC[unit]! & WORD)) break;
      i++;
    } else {
      if (!(classAt(units, i, end) & WORD)) break;
      i += codePointAt(units, i, end) > 0xffff ? 2 : 1;
    }
  }
  return i;
}

const ENDS = new Set(Array.from('.!?。！？').map((c) => c.charCodeAt(0)));
const CLOSING = new Set(Array.from(`"'”’)]」』`).map((c) => c.charCodeAt(0)));
const HARD_ENDS = new Set(Array.from('。！？').map((c) => c.charCodeAt(0)));

/**
 * Sentences by the plain rule: one ends after `[.!?。！？]+["'”’)\]」』]*` that stands at the end, is followed by white space,
 * or starts with one of `。！？`; what is left counts if it is not blank. Each runs from the end of the one before. A blank
 * stretch is one sentence.
 */
export function simpleSentences(units: Uint16Array, start: number, end: number): Spans {
  const sentences = emptySpans(4);
  let from = start;
  for (let i = start; i < end; i++) {
    if (!(BASIC[units[i]!]! & SENTENCE_END) || !ENDS.has(units[i]!)) continue;
    const hard = HARD_ENDS.has(units[i]!);
    while (i < end && ENDS.has(units[i]!)) i++;
    while (i < end && CLOSING.has(units[i]!)) i++;
    if (hard || i >= end || BASIC[units[i]!]! & UNICODE_WHITE) {
      pushSpan(sentences, from, i);
      from = i;
    }
    i--;
  }
  if (sentences.count === 0 || !isBlank(units, from, end)) pushSpan(sentences, from, end);
  if (sentences.count === 1) sentences.bounds[1] = end;
  return sentences;
}
