import { characters, codePointAt, codeUnits, trimEnd, trimStart } from '../../core/text/index.ts';
import type { Text } from '../text.ts';

/** Why a line is lost, in the order of the tests. */
export const LINE_REASONS = ['too_long_word', 'no_terminal_punc', 'too_few_words', 'javascript', 'policy'] as const;
export type LineReason = (typeof LINE_REASONS)[number];

export interface LineVerdict {
  /** Null: kept. The last two condemn the whole page. */
  lost: LineReason | 'lorem_ipsum' | 'curly_bracket' | null;
  /** Sentences of the line as it is kept [count]. */
  sentences(): number;
}

const { BASIC, WHITE } = characters;
const LONGEST_WORD = 1000;
const LEAST_WORDS = 3;
const POLICY = ['terms of use', 'privacy policy', 'cookie policy', 'uses cookies', 'use of cookies', 'use cookies'];
const CITATION = /\[\p{Nd}*\]|\[edit\]|\[citation needed\]/gu;
const OPENING_BRACKET = 0x5b;
const CURLY_BRACKET = 0x7b;
const DOT = 0x2e;
/** The apostrophe is datatrove's addition; closing quotes and full-width marks are none. */
const END_MARKS = new Set(Array.from(`.?!"'`, (c) => c.charCodeAt(0)));

/**
 * C4's tests of one line or sentence, in datatrove's order: trimmed first, citations cut after that with no second trim,
 * words counted before the cut. "lorem ipsum" and `{` condemn the page only where the line got that far.
 */
export function openLineRules(text: Text, endMarks: boolean): (start: number, end: number) => LineVerdict {
  const { units } = text;
  const lower = text.raw.toLowerCase();
  const maybe = {
    lorem: lower.includes('lorem ipsum'),
    javascript: lower.includes('javascript'),
    policy: POLICY.some((phrase) => lower.includes(phrase)),
    curly: text.raw.includes('{'),
  };
  const anyPhrase = maybe.lorem || maybe.javascript || maybe.policy;

  return (from, to) => {
    const start = trimStart(units, from, to);
    const end = trimEnd(units, start, to);
    const words = countWords(units, start, end);
    if (words.longest > LONGEST_WORD) return lost('too_long_word');
    if (hasCitation(units, start, end)) {
      const line = text.raw.slice(start, end).replace(CITATION, '');
      if (line.length < end - start) {
        const cut = codeUnits(line);
        return judged(cut, 0, cut.length, words.count, line.toLowerCase(), () => text.sentencesOf(line));
      }
    }
    const phrases = anyPhrase ? text.raw.slice(start, end).toLowerCase() : '';
    return judged(units, start, end, words.count, phrases, () => text.sentences(start, end).count);
  };

  function judged(
    line: Uint16Array,
    start: number,
    end: number,
    words: number,
    phrases: string,
    sentences: () => number,
  ): LineVerdict {
    if (endMarks && !endsSentence(line, start, end)) return lost('no_terminal_punc');
    if (words < LEAST_WORDS) return lost('too_few_words');
    if (phrases.includes('lorem ipsum')) return lost('lorem_ipsum');
    if (phrases.includes('javascript')) return lost('javascript');
    if (maybe.curly && contains(line, start, end, CURLY_BRACKET)) return lost('curly_bracket');
    if (POLICY.some((phrase) => phrases.includes(phrase))) return lost('policy');
    return { lost: null, sentences };
  }
}

const lost = (reason: NonNullable<LineVerdict['lost']>): LineVerdict => ({ lost: reason, sentences: () => 0 });

/** Words between white space, and the length of the longest [code points]. */
function countWords(units: Uint16Array, start: number, end: number): { count: number; longest: number } {
  let count = 0;
  let longest = 0;
  let length = 0;
  for (let i = start; i < end; i++) {
    if (BASIC[units[i]!]! & WHITE) {
      length = 0;
      continue;
    }
    if (length === 0) count++;
    if (codePointAt(units, i, end) > 0xffff) i++;
    if (++length > longest) longest = length;
  }
  return { count, longest };
}

function contains(units: Uint16Array, start: number, end: number, unit: number): boolean {
  for (let i = start; i < end; i++) if (units[i] === unit) return true;
  return false;
}

const hasCitation = (units: Uint16Array, start: number, end: number): boolean =>
  contains(units, start, end, OPENING_BRACKET);

/** Ends in an end mark, and not in three dots. */
function endsSentence(units: Uint16Array, start: number, end: number): boolean {
  if (end === start || !END_MARKS.has(units[end - 1]!)) return false;
  return !(end - start >= 3 && units[end - 1] === DOT && units[end - 2] === DOT && units[end - 3] === DOT);
}
