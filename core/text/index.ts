export * as characters from './characters.ts';
export { simpleSentences, simpleWords } from './simple.ts';
export {
  classAt,
  classBefore,
  codePointAt,
  codePoints,
  codeUnits,
  emptySpans,
  pushSpan,
  splitFeeds,
  splitLines,
  trimEnd,
  trimStart,
} from './units.ts';
export type { Spans } from './units.ts';
export { countKinds, HAS_LETTER, SPOKEN } from './words.ts';
export type { Words } from './words.ts';
