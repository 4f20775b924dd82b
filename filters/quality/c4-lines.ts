import { characters, codePoints, codeUnits, trimEnd, trimStart } from '../../core/text/index.ts';
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
  };
  const anyPhrase = maybe.lorem || maybe.javascript || maybe.policy;

  return (from, to) => {
    const start = trimStart(units, from, to);
    const end = trimEnd(units, start, to);
    const facts = factsOf(units, start, end);
    if (facts.longest > LONGEST_WORD) return lost('too_long_word');
    if (facts.bracket) {
      const line = text.raw.slice(start, end).replace(CITATION, '');
      if (line.length < end - start) {
        const cut = codeUnits(line);
        return judged(cut, 0, cut.length, facts, line.toLowerCase(), () => text.sentencesOf(line));
      }
    }
    const phrases = anyPhrase ? text.raw.slice(start, end).toLowerCase() : '';
    return judged(units, start, end, facts, phrases, () => text.countSentences(start, end));
  };

  function judged(
    line: Uint16Array,
    start: number,
    end: number,
    { words, curly }: Facts,
    phrases: string,
    sentences: () => number,
  ): LineVerdict {
    if (endMarks && !endsSentence(line, start, end)) return lost('no_terminal_punc');
    if (words < LEAST_WORDS) return lost('too_few_words');
    if (phrases.includes('lorem ipsum')) return lost('lorem_ipsum');
    if (phrases.includes('javascript')) return lost('javascript');
    if (curly) return lost('curly_bracket');
    if (POLICY.some((phrase) => phrases.includes(phrase))) return lost('policy');
    return { lost: null, sentences };
  }
}

const lost = (reason: NonNullable<LineVerdict['lost']>): LineVerdict => ({ lost: reason, sentences: () => 0 });

interface Facts {
  /** Words between white space [count]. */
  words: number;
  /** The longest of them [code points], where it is over LONGEST_WORD code units; else 0. */
  longest: number;
  bracket: boolean;
  curly: boolean;
}

/** One pass over a line. */
function factsOf(units: Uint16Array, start: number, end: number): Facts {
  const facts: Facts = { words: 0, longest: 0, bracket: false, curly: false };
  for (let i = start; i < end; i++) {
    if (BASIC[units[i]!]! & WHITE) continue;
    const from = i;
    for (; i < end && !(BASIC[units[i]!]! & WHITE); i++) {
      if (units[i] === OPENING_BRACKET) facts.bracket = true;
      else if (units[i] === CURLY_BRACKET) facts.curly = true;
    }
    facts.words++;
    if (i - from > LONGEST_WORD) facts.longest = Math.max(facts.longest, codePoints(units, from, i));
  }
  return facts;
}

/** Ends in an end mark, and not in three dots. */
function endsSentence(units: Uint16Array, start: number, end: number): boolean {
  if (end === start || !END_MARKS.has(units[end - 1]!)) return false;
  return !(end - start >= 3 && units[end - 1] === DOT && units[end - 2] === DOT && units[end - 3] === DOT);
}
