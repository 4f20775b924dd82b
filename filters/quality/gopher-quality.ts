import { HAS_LETTER, SPOKEN, trimEnd, trimStart } from '../../core/text/index.ts';
import { defineFilter, share } from '../rules.ts';
import type { Text } from '../text.ts';
import { FINEWEB2 } from './fineweb2.ts';
import { perLanguage } from './per-language.ts';

const stopWords = (words: readonly string[]) => ({
  set: new Set(words),
  longest: Math.max(...words.map((w) => w.length)),
});
const STOP_WORDS = new Map([
  ['en', stopWords(['the', 'be', 'to', 'of', 'and', 'that', 'have', 'with'])],
  ...Object.entries(FINEWEB2).map(([language, numbers]) => [language, stopWords(numbers.stopWords)] as const),
]);

/** Prose has words of usual lengths, letters in them, and a few of the commonest ones. */
export const gopherQuality = defineFilter({
  name: 'gopher_quality',
  version: 1,
  about: 'Is it running prose at all: length, word length, symbols, bullets, letters, stop words.',
  source: 'Rae et al. 2021, arXiv:2112.11446, appendix A; the numbers of datatrove 0.10, FineWeb-2 for other languages',
  needs: ['words', 'language'],
  signals: {
    words: 'words, bare punctuation not counted [count]',
    word_length: 'their mean length [code points]',
    hashes: '"#" per word, bare punctuation counted as words here and below [ratio]',
    ellipses: '"..." and "…" per word [ratio]',
    bullet_lines: 'lines that start with "•" or "-" [share]',
    ellipsis_lines: 'lines that end with an ellipsis [share]',
    alpha_words: 'words with a letter in them [share]',
    stop_words: 'how many different stop words of the language occur; none where it has no list [count]',
  },
  measure(text) {
    const { words } = text;
    const { spoken, characters, alpha, stop } = countWords(text);
    const symbols = countSymbols(text.units);
    const { bullets, ellipses } = countLines(text);
    return {
      words: spoken,
      word_length: share(characters, spoken),
      hashes: share(symbols.hashes, words.count),
      ellipses: share(symbols.ellipses, words.count),
      bullet_lines: share(bullets, text.lines.count),
      ellipsis_lines: share(ellipses, text.lines.count),
      alpha_words: share(alpha, words.count),
      stop_words: stop,
    };
  },
  rules: [
    { rule: 'gopher_short_doc', signal: 'words', below: 50 },
    { rule: 'gopher_long_doc', signal: 'words', above: 100_000 },
    ...perLanguage({ rule: 'gopher_below_avg_threshold', signal: 'word_length', below: 3 }, (n) => n.minAvgWordLength),
    ...perLanguage({ rule: 'gopher_above_avg_threshold', signal: 'word_length', above: 10 }, (n) => n.maxAvgWordLength),
    { rule: 'gopher_too_many_hashes', signal: 'hashes', above: 0.1 },
    { rule: 'gopher_too_many_ellipsis', signal: 'ellipses', above: 0.1 },
    { rule: 'gopher_too_many_bullets', signal: 'bullet_lines', above: 0.9 },
    { rule: 'gopher_too_many_end_ellipsis', signal: 'ellipsis_lines', above: 0.3 },
    ...perLanguage({ rule: 'gopher_below_alpha_threshold', signal: 'alpha_words', below: 0.8 }, (n) => n.alphaWords),
    { rule: 'gopher_enough_stop_words', signal: 'stop_words', below: 2 },
  ],
});

function countWords({ words, language }: Text) {
  const list = STOP_WORDS.get(language);
  const times = new Int32Array(words.different);
  for (let i = 0; i < words.count; i++) times[words.kinds[i]!]!++;
  let [spoken, characters, alpha, stop] = [0, 0, 0, 0];
  for (let kind = 0; kind < words.different; kind++) {
    const flags = words.flags[kind]!;
    if (flags & SPOKEN) {
      spoken += times[kind]!;
      characters += times[kind]! * words.lengths[kind]!;
    }
    if (flags & HAS_LETTER) alpha += times[kind]!;
    if (list && words.lengths[kind]! <= list.longest && list.set.has(words.word(kind))) stop++;
  }
  return { spoken, characters, alpha, stop: list ? stop : null };
}

const HASH = 0x23;
const DOT = 0x2e;
const ELLIPSIS = 0x2026;

function countSymbols(units: Uint16Array) {
  let hashes = 0;
  let ellipses = 0;
  for (let i = 0; i < units.length; i++) {
    const unit = units[i]!;
    if (unit === HASH) hashes++;
    else if (unit === ELLIPSIS) ellipses++;
    else if (unit === DOT && units[i + 1] === DOT && units[i + 2] === DOT) {
      ellipses++;
      i += 2;
    }
  }
  return { hashes, ellipses };
}

const BULLET = 0x2022;
const DASH = 0x2d;

function countLines({ units, lines }: Text) {
  let bullets = 0;
  let ellipses = 0;
  for (let i = 0; i < lines.count; i++) {
    const start = trimStart(units, lines.bounds[2 * i]!, lines.bounds[2 * i + 1]!);
    const end = trimEnd(units, start, lines.bounds[2 * i + 1]!);
    if (start === end) continue;
    if (units[start] === BULLET || units[start] === DASH) bullets++;
    const last = units[end - 1];
    if (last === ELLIPSIS || (last === DOT && end - 3 >= start && units[end - 2] === DOT && units[end - 3] === DOT))
      ellipses++;
  }
  return { bullets, ellipses };
}
