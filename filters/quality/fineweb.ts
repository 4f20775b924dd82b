import { characters, classBefore, codePoints, isBlank } from '../../core/text/index.ts';
import { defineFilter, share } from '../rules.ts';
import { perLanguage } from './per-language.ts';
import { repeats } from './repeats.ts';

/** [code points] */
const SHORT_LINE = 30;

/** Lists, menus and fragments: what FineWeb's authors found left over behind Gopher's and C4's rules. */
export const fineweb = defineFilter({
  name: 'fineweb',
  version: 1,
  about: 'Is it made of lines that look like text: end marks, lengths, repeats, line breaks per word.',
  source: 'Penedo et al. 2024, arXiv:2406.17557; the numbers of datatrove 0.10, FineWeb-2 for other languages',
  needs: ['words', 'language'],
  signals: {
    lines: 'lines that are not blank [count]',
    line_punct_ratio: 'of these, with an end mark of any script as their last character [share]',
    short_line_ratio: 'of these, of 30 characters or fewer [share]',
    char_dup_ratio: 'characters of lines that repeat an earlier one, in the text without line feeds [share]',
    list_ratio: 'line feeds per word, marks counted as words [ratio]',
  },
  measure(text) {
    const { units, feedLines } = text;
    let ended = 0;
    let short = 0;
    const lines = repeats(text, (_i, start, end) => {
      if (isBlank(units, start, end)) return false;
      if (classBefore(units, start, end) & characters.END_MARK) ended++;
      if (end - start <= 2 * SHORT_LINE && codePoints(units, start, end) <= SHORT_LINE) short++;
      return true;
    });
    const feeds = feedLines.count - 1;
    return {
      lines: lines.parts,
      line_punct_ratio: share(ended, lines.parts),
      short_line_ratio: share(short, lines.parts),
      char_dup_ratio: share(lines.characters, text.length - feeds),
      list_ratio: share(feeds, text.words.count),
    };
  },
  rules: [
    { rule: 'empty', signal: 'lines', below: 1 },
    ...perLanguage({ rule: 'line_punct_ratio', signal: 'line_punct_ratio', below: 0.12 }, (n) => n.linePunctThr),
    ...perLanguage({ rule: 'short_line_ratio', signal: 'short_line_ratio', above: 0.67 }, () => null),
    ...perLanguage({ rule: 'char_dup_ratio', signal: 'char_dup_ratio', above: 0.01 }, () => 0.1),
    ...perLanguage({ rule: 'list_ratio', signal: 'list_ratio', above: 0.3 }, (n) => n.newLineRatio),
  ],
});
