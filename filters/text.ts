import { dependencyVersion } from '../core/root.ts';
import {
  chineseTokenizer,
  codePoints,
  codeUnits,
  countKinds,
  cutSentences,
  numberSpans,
  sentencesOf,
  simpleSentences,
  simpleWords,
  spacyTokenizer,
  splitFeeds,
  splitLines,
  wordsOf,
  type Numbered,
  type Spans,
  type Words,
} from '../core/text/index.ts';
import { languageOfRules, openLanguage, type Identify, type Language } from './language/identify.ts';

/** How words and sentences are found: by spaCy's rules (jieba for Chinese), as datatrove does, or by one plain pattern. */
export const WORD_RULES = ['spacy', 'simple'] as const;
export type WordRule = (typeof WORD_RULES)[number];

/** A text as filters see it: each view is made when it is first asked for, and once. */
export interface Text {
  raw: string;
  units: Uint16Array;
  /** What the model says of it; null where the text was opened without one. */
  readonly identified: Language | null;
  /** Whose words and numbers count: an ISO 639-1 code, `en` where the language is not known. */
  readonly language: string;
  /** Code points of the whole text. */
  readonly length: number;
  readonly words: Words;
  /** Lines as Python's splitlines() cuts them. */
  readonly lines: Spans;
  /** Parts between line feeds. */
  readonly feedLines: Spans;
  /** Which of them are equal. */
  readonly feedKinds: Numbered;
  /** Sentences of a stretch, at least one. */
  sentences(start: number, end: number): Spans;
  /** How many there are. */
  countSentences(start: number, end: number): number;
  /** Sentences of a text that is not this one, such as a line of it after a cut [count]. */
  sentencesOf(text: string): number;
}

/** What stored words depend on beside the Unicode tables of this Node. */
export const wordsVersion = (rule: WordRule): string =>
  rule === 'simple' ? 'simple 1' : `spacy 3.8 rules 2, jieba ${dependencyVersion('@node-rs/jieba')} cut 1`;

/** Longer texts are measured by their beginning, so that time and memory stay bounded [code units]. */
export const MEASURED = 1 << 20;

export interface PrepareOptions {
  words: WordRule;
  /** Stated language, BCP 47; without one it is identified, or taken for English where there is no model. */
  language?: string | undefined;
  identify?: Identify | undefined;
}

/** Loads the language model and gives the function that prepares texts, each with or without a stated language. */
export async function openTexts(words: WordRule): Promise<(raw: string, language?: string) => Text> {
  const identify = await openLanguage();
  return (raw, language) => prepare(raw, { words, language, identify });
}

/** `zh` of `zh-CN`, `zho`, `cmn_Hani` or `ZH`: corpora state languages in each of these ways. What is no tag stays as it is. */
function languageOfTag(stated: string): string {
  const tag = stated.slice(0, LONGEST_LANGUAGE).replaceAll('_', '-');
  try {
    const { language } = new Intl.Locale(tag);
    // The model's name for Norwegian, and so that of its numbers.
    return language === 'nb' ? 'no' : language;
  } catch {
    return tag.toLowerCase().split('-')[0]!;
  }
}

/** RFC 5646 asks for room for so many characters. */
const LONGEST_LANGUAGE = 35;

/** Prepares a text for the filters. */
export function prepare(given: string, { words: rule, language, identify }: PrepareOptions): Text {
  const raw = given.length > MEASURED ? given.slice(0, MEASURED) : given;
  const units = codeUnits(raw);
  const once = <T>(make: () => T): (() => T) => {
    let made: { value: T } | undefined;
    return () => (made ??= { value: make() }).value;
  };
  const identified = once(() => identify?.(raw) ?? null);
  const spoken = once(() => {
    if (language) return languageOfTag(language);
    const found = identified();
    return found ? languageOfRules(found, units) : 'en';
  });
  const length = once(() => codePoints(units));
  const plain = rule === 'simple';
  const tokenizer = () => (spoken() === 'zh' ? chineseTokenizer() : spacyTokenizer(spoken()));
  const tokens = once(() => tokenizer()(raw, units));
  const words = once(() => countKinds(raw, units, plain ? simpleWords(units) : wordsOf(units, tokens())));
  const lines = once(() => splitLines(units));
  const feedLines = once(() => splitFeeds(units));
  const feedKinds = once(() => numberSpans(units, feedLines()));
  return {
    raw,
    units,
    get identified() {
      return identified();
    },
    get language() {
      return spoken();
    },
    get length() {
      return length();
    },
    get words() {
      return words();
    },
    get lines() {
      return lines();
    },
    get feedLines() {
      return feedLines();
    },
    get feedKinds() {
      return feedKinds();
    },
    sentences: (start, end) => (plain ? simpleSentences(units, start, end) : sentencesOf(units, tokens(), start, end)),
    countSentences: (start, end) =>
      plain ? simpleSentences(units, start, end).count : cutSentences(units, tokens(), start, end),
    sentencesOf(text) {
      const own = codeUnits(text);
      if (plain) return simpleSentences(own, 0, own.length).count;
      return cutSentences(own, tokenizer()(text, own), 0, own.length);
    },
  };
}
