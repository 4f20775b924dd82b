export * as characters from './characters.ts';
export { chineseTokenizer } from './chinese.ts';
export { countGrams } from './grams.ts';
export { simpleSentences, simpleWords } from './simple.ts';
export { spacyTokenizer } from './spacy.ts';
export { cutSentences, sentencesOf, wordsOf } from './tokens.ts';
export {
  classAt,
  classBefore,
  codePointAt,
  codePoints,
  codeUnits,
  emptySpans,
  isBlank,
  pushSpan,
  splitFeeds,
  splitLines,
  trimEnd,
  trimStart,
} from './units.ts';
export type { Spans } from './units.ts';
export { countKinds, HAS_LETTER, numberSpans, SPOKEN } from './words.ts';
export type { Numbered, Words } from './words.ts';
