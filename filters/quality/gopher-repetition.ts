import { countGrams } from '../../core/text/index.ts';
import { defineFilter, share } from '../rules.ts';
import { perLanguage } from './per-language.ts';
import { repeatedLines, repeatedParagraphs } from './repeats.ts';

const TOP_SIZES = [2, 3, 4];
const REPEATED_SIZES = [5, 6, 7, 8, 9, 10];

/** A page that says the same over and over: lists of links, generated text, a stuck template. */
export const gopherRepetition = defineFilter({
  name: 'gopher_repetition',
  version: 1,
  about: 'Does it repeat itself: paragraphs, lines, its commonest short phrase, longer phrases.',
  source: 'Rae et al. 2021, arXiv:2112.11446, table A1; the numbers of datatrove 0.10, FineWeb-2 for other languages',
  needs: ['words', 'language'],
  signals: {
    dup_para_frac: 'paragraphs that repeat an earlier one [share]',
    dup_para_char_frac: 'their characters in the text [share]',
    dup_line_frac: 'lines that repeat an earlier one [share]',
    dup_line_char_frac: 'their characters in the text [share]',
    top_2_gram: 'characters of the commonest pair of words, all its hits [share]',
    top_3_gram: 'the same for three words [share]',
    top_4_gram: 'the same for four words [share]',
    duplicated_5_n_grams: 'characters of runs of 5 words seen before, spaces left out [share]',
    duplicated_6_n_grams: 'the same for 6 words [share]',
    duplicated_7_n_grams: 'the same for 7 words [share]',
    duplicated_8_n_grams: 'the same for 8 words [share]',
    duplicated_9_n_grams: 'the same for 9 words [share]',
    duplicated_10_n_grams: 'the same for 10 words [share]',
  },
  measure(text) {
    const { units, length } = text;
    const paragraphs = repeatedParagraphs(text);
    const lines = repeatedLines(text);
    const { top, repeated } = countGrams(units, text.words, TOP_SIZES, REPEATED_SIZES);
    const topShare = (i: number) => (top[i] === null ? null : share(top[i]!, length));
    const repeatedShare = (i: number) => share(repeated[i]!, length);
    return {
      dup_para_frac: share(paragraphs.repeated, paragraphs.parts),
      dup_para_char_frac: share(paragraphs.characters, length),
      dup_line_frac: share(lines.repeated, lines.parts),
      dup_line_char_frac: share(lines.characters, length),
      top_2_gram: topShare(0),
      top_3_gram: topShare(1),
      top_4_gram: topShare(2),
      duplicated_5_n_grams: repeatedShare(0),
      duplicated_6_n_grams: repeatedShare(1),
      duplicated_7_n_grams: repeatedShare(2),
      duplicated_8_n_grams: repeatedShare(3),
      duplicated_9_n_grams: repeatedShare(4),
      duplicated_10_n_grams: repeatedShare(5),
    };
  },
  rules: [
    ...perLanguage({ rule: 'dup_para_frac', signal: 'dup_para_frac', above: 0.3 }, () => null),
    ...perLanguage({ rule: 'dup_para_char_frac', signal: 'dup_para_char_frac', above: 0.2 }, () => null),
    ...perLanguage({ rule: 'dup_line_frac', signal: 'dup_line_frac', above: 0.3 }, (n) => n.dupLineFrac),
    ...perLanguage({ rule: 'dup_line_char_frac', signal: 'dup_line_char_frac', above: 0.2 }, () => null),
    ...perLanguage({ rule: 'top_2_gram', signal: 'top_2_gram', above: 0.2 }, (n) => n.topNGrams[0]),
    ...perLanguage({ rule: 'top_3_gram', signal: 'top_3_gram', above: 0.18 }, (n) => n.topNGrams[1]),
    ...perLanguage({ rule: 'top_4_gram', signal: 'top_4_gram', above: 0.16 }, (n) => n.topNGrams[2]),
    ...perLanguage(
      { rule: 'duplicated_5_n_grams', signal: 'duplicated_5_n_grams', above: 0.15 },
      (n) => n.dupNGrams[0],
    ),
    ...perLanguage(
      { rule: 'duplicated_6_n_grams', signal: 'duplicated_6_n_grams', above: 0.14 },
      (n) => n.dupNGrams[1],
    ),
    ...perLanguage(
      { rule: 'duplicated_7_n_grams', signal: 'duplicated_7_n_grams', above: 0.13 },
      (n) => n.dupNGrams[2],
    ),
    ...perLanguage(
      { rule: 'duplicated_8_n_grams', signal: 'duplicated_8_n_grams', above: 0.12 },
      (n) => n.dupNGrams[3],
    ),
    ...perLanguage(
      { rule: 'duplicated_9_n_grams', signal: 'duplicated_9_n_grams', above: 0.11 },
      (n) => n.dupNGrams[4],
    ),
    ...perLanguage(
      { rule: 'duplicated_10_n_grams', signal: 'duplicated_10_n_grams', above: 0.1 },
      (n) => n.dupNGrams[5],
    ),
  ],
});
