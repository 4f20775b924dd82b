import { codePoints } from '../../core/text/index.ts';
import { defineFilter, type Filter } from '../rules.ts';
import { LINE_REASONS, openLineRules, type LineReason } from './c4-lines.ts';

interface Settings {
  name: string;
  about: string;
  /** Lines need an end mark. */
  endMarks: boolean;
  /** What is judged: each line, or each sentence. */
  by: 'line' | 'sentence';
}

/**
 * C4's rules, as a verdict on the page. datatrove also cuts the lines that fail out of the text; here the text stays, and
 * every filter measures the same one. English only: its end marks, its words between spaces, and FineWeb-2 has no C4.
 */
function c4Filter({ name, about, endMarks, by }: Settings): Filter {
  return defineFilter({
    name,
    version: 1,
    about,
    source: 'Raffel et al. 2020, JMLR 21 (140), section 2.2; as datatrove 0.10 does it',
    needs: ['words', 'language'],
    signals: {
      lines: `${by}s [count]`,
      lines_kept: `${by}s that pass every rule for ${by}s [count]`,
      ...(Object.fromEntries(LINE_REASONS.map((r) => [r, LINE_MEANINGS[r].replaceAll('line', by)])) as Record<
        LineReason,
        string
      >),
      offence: { label: `what the first offending ${by} holds: lorem_ipsum or curly_bracket` },
      sentences: `sentences of the ${by}s kept [count]`,
    },
    measure(text) {
      const { units } = text;
      const lines = by === 'line' ? text.lines : text.sentences(0, units.length);
      const judgeLine = openLineRules(text, endMarks);
      const lost: Record<LineReason, number> = {
        too_long_word: 0,
        no_terminal_punc: 0,
        too_few_words: 0,
        javascript: 0,
        policy: 0,
      };
      let offence: string | null = null;
      let kept = 0;
      let sentences = 0;
      for (let i = 0; i < lines.count; i++) {
        const line = judgeLine(lines.bounds[2 * i]!, lines.bounds[2 * i + 1]!);
        if (line.lost === 'lorem_ipsum' || line.lost === 'curly_bracket') offence ??= line.lost;
        else if (line.lost !== null) lost[line.lost]++;
        else {
          kept++;
          sentences += by === 'line' ? line.sentences() : 1;
        }
      }
      return { lines: lines.count, lines_kept: kept, ...lost, offence, sentences };
    },
    rules: [
      { rule: 'lorem_ipsum', signal: 'offence', when: { language: 'en' }, equals: 'lorem_ipsum' },
      { rule: 'curly_bracket', signal: 'offence', when: { language: 'en' }, equals: 'curly_bracket' },
      { rule: 'too_few_sentences', signal: 'sentences', when: { language: 'en' }, below: 5 },
    ],
  });
}

const LINE_MEANINGS: Record<LineReason, string> = {
  too_long_word: 'lines lost for a word of over 1,000 characters [count]',
  no_terminal_punc: 'lines lost for want of an end mark [count]',
  too_few_words: 'lines lost for fewer than 3 words between white space [count]',
  javascript: 'lines lost for naming JavaScript [count]',
  policy: 'lines lost for a phrase about cookies, privacy or terms of use [count]',
};

/** By line, end marks required: the paper's way. */
export const c4 = c4Filter({
  name: 'c4',
  about: 'Are there five sentences in whole lines that end in an end mark, and no sign of a template or of code.',
  endMarks: true,
  by: 'line',
});

/** FineWeb's way: lines without an end mark count too. */
export const c4Fineweb = c4Filter({
  name: 'c4_fineweb',
  about: 'C4 as FineWeb uses it: lines need no end mark.',
  endMarks: false,
  by: 'line',
});

/** The rules for lines over sentences. */
export const c4Sentences = c4Filter({
  name: 'c4_sentences',
  about: 'C4 by sentence: pages whose lines are no paragraphs.',
  endMarks: true,
  by: 'sentence',
});

/** mC4's rule, for every language. */
export const c4Paragraph = defineFilter({
  name: 'c4_paragraph',
  version: 1,
  about: 'Are there three paragraphs of some length.',
  source: 'Xue et al. 2021, arXiv:2010.11934, section 3.1; as datatrove 0.10 does it',
  needs: [],
  signals: { third_longest_line: 'length of the third longest line; 0 where there are fewer [code points]' },
  measure({ units, feedLines }) {
    const longest = [0, 0, 0];
    for (let i = 0; i < feedLines.count; i++) {
      const length = codePoints(units, feedLines.bounds[2 * i]!, feedLines.bounds[2 * i + 1]!);
      if (length <= longest[2]!) continue;
      longest[2] = length;
      longest.sort((a, b) => b - a);
    }
    return { third_longest_line: longest[2]! };
  },
  rules: [{ rule: '< 3 paragraphs', signal: 'third_longest_line', below: 200 }],
});
