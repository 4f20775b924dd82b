import {
  codePoints,
  codeUnits,
  countKinds,
  simpleSentences,
  simpleWords,
  splitFeeds,
  splitLines,
  type Spans,
  type Words,
} from '../core/text/index.ts';

/** How words and sentences are found: by spaCy's rules (jieba for Chinese), as datatrove does, or by one plain pattern. */
export const WORD_RULES = ['spacy', 'simple'] as const;
export type WordRule = (typeof WORD_RULES)[number];

/** A text as filters see it: each view is made when it is first asked for, and once. */
export interface Text {
  raw: string;
  units: Uint16Array;
  /** ISO 639-1 code, or null where it is not known: then the published (English) numbers count. */
  language: string | null;
  /** Code points of the whole text. */
  readonly length: number;
  readonly words: Words;
  /** Lines as splitlines() of Python cuts them. */
  readonly lines: Spans;
  /** Parts between line feeds. */
  readonly feedLines: Spans;
  /** Sentences of a stretch, at least 1. */
  sentences(start: number, end: number): number;
}

/** Longer texts are measured by their beginning, so that time and memory stay bounded [code units]. */
export const MEASURED = 4 << 20;

export interface PrepareOptions {
  words: WordRule;
  language?: string | null;
}

/** Prepares a text for the filters. */
export function prepare(given: string, { words: rule, language = null }: PrepareOptions): Text {
  const raw = given.length > MEASURED ? given.slice(0, MEASURED) : given;
  const units = codeUnits(raw);
  let length: number | undefined;
  let words: Words | undefined;
  let lines: Spans | undefined;
  let feedLines: Spans | undefined;
  void rule;
  return {
    raw,
    units,
    language,
    get length() {
      return (length ??= codePoints(units));
    },
    get words() {
      return (words ??= countKinds(raw, units, simpleWords(units)));
    },
    get lines() {
      return (lines ??= splitLines(units));
    },
    get feedLines() {
      return (feedLines ??= splitFeeds(units));
    },
    sentences: (start, end) => simpleSentences(units, start, end),
  };
}
