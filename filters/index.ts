import { language } from './language/language.ts';
import { c4, c4Fineweb, c4Paragraph, c4Sentences } from './quality/c4.ts';
import { fineweb } from './quality/fineweb.ts';
import { gopherRepetition } from './quality/gopher-repetition.ts';
import { gopherQuality } from './quality/gopher-quality.ts';
import { toxicity } from './safety/toxicity.ts';
import type { Filter } from './rules.ts';

export { detect } from './privacy/detect.ts';
export { judge, judgeSql, signalTable } from './rules.ts';
export type { Filter, Rule, Verdict } from './rules.ts';
export { openTexts, prepare } from './text.ts';
export type { Text } from './text.ts';

/** Every filter. A new one is a file and a line here. */
export const FILTERS: readonly Filter[] = [
  language,
  gopherRepetition,
  gopherQuality,
  c4,
  c4Fineweb,
  c4Sentences,
  c4Paragraph,
  fineweb,
  toxicity,
];

/** The filter of that name, if there is one. */
export const findFilter = (name: string): Filter | undefined => FILTERS.find((f) => f.name === name);
