import { expect, test } from 'vitest';
import { findFilter } from '../../../filters/index.ts';
import { judge } from '../../../filters/rules.ts';
import { prepare } from '../../../filters/text.ts';

const PROSE = 'the water of this river moves and turns along with every stone that lies below it';
const prose = (words: number) =>
  Array.from(
    { length: words },
    (_, i) => `${PROSE.split(' ')[i % 16]}${i % 16 === 9 ? String.fromCharCode(97 + (i % 26)) : ''}`,
  ).join(' ');
/** Different sentences, so that nothing repeats. */
const lines = (n: number, end = '.') =>
  Array.from({ length: n }, (_, i) => `line number ${i} of the page has words of its own, x${i} and y${i}${end}`).join(
    '\n',
  );

test.each([
  { why: '49 words', filter: 'gopher_quality', text: prose(49), rule: 'gopher_short_doc' },
  { why: '50 words', filter: 'gopher_quality', text: prose(50), rule: null },
  { why: 'no words: means are null, and null keeps', filter: 'gopher_quality', text: '\n\n', rule: 'gopher_short_doc' },
  {
    why: 'one stop word of eight',
    filter: 'gopher_quality',
    text: 'the water moves '.repeat(30),
    rule: 'gopher_enough_stop_words',
  },
  {
    why: '"The" is none',
    filter: 'gopher_quality',
    text: 'The of water '.repeat(30),
    rule: 'gopher_enough_stop_words',
  },
  { why: '6 hashes on 60 words', filter: 'gopher_quality', text: `${prose(54)} ${'# '.repeat(6)}`, rule: null },
  {
    why: '7 hashes on 61 words',
    filter: 'gopher_quality',
    text: `${prose(54)} ${'# '.repeat(7)}`,
    rule: 'gopher_too_many_hashes',
  },
  {
    why: 'nine lines of ten with a bullet',
    filter: 'gopher_quality',
    text: `${`- ${prose(9)}\n`.repeat(9)}${prose(9)}`,
    rule: null,
  },
  { why: 'ten of ten', filter: 'gopher_quality', text: `• ${prose(9)}\n`.repeat(10), rule: 'gopher_too_many_bullets' },
  {
    why: 'a bullet behind a full-width space',
    filter: 'gopher_quality',
    text: `\u3000- ${prose(9)}\n`.repeat(10),
    rule: 'gopher_too_many_bullets',
  },
  {
    why: 'three lines of ten end in an ellipsis',
    filter: 'gopher_quality',
    text: `${`${prose(9)}...\n`.repeat(3)}${`${prose(9)}\n`.repeat(7)}`,
    rule: null,
  },
  {
    why: 'four of ten',
    filter: 'gopher_quality',
    text: `${`${prose(9)}… \n`.repeat(4)}${`${prose(9)}\n`.repeat(6)}`,
    rule: 'gopher_too_many_end_ellipsis',
  },
  { why: 'an empty text has no lines', filter: 'fineweb', text: '', rule: 'empty' },
  { why: 'end marks', filter: 'fineweb', text: lines(10), rule: null },
  { why: 'a space behind the end mark', filter: 'fineweb', text: lines(10, '. '), rule: 'line_punct_ratio' },
  { why: 'end marks of another script', filter: 'fineweb', text: lines(10, '。'), rule: null },
  { why: 'a closing quote is no end mark', filter: 'fineweb', text: lines(10, '.”'), rule: 'line_punct_ratio' },
  {
    why: 'lines of 30 characters, emoji counted once',
    filter: 'fineweb',
    text: Array.from({ length: 9 }, (_, i) => `${'🙂'.repeat(28)}${i}.`).join('\n'),
    rule: 'short_line_ratio',
  },
  { why: 'five sentences in whole lines', filter: 'c4', text: lines(5), rule: null },
  { why: 'four', filter: 'c4', text: lines(4), rule: 'too_few_sentences' },
  {
    why: 'a citation cut leaves a space, no end mark',
    filter: 'c4',
    text: `${lines(4)}\nthe fifth of them. [1]`,
    rule: 'too_few_sentences',
  },
  {
    why: 'which FineWeb’s C4 does not mind',
    filter: 'c4_fineweb',
    text: `${lines(4)}\nthe fifth of them. [1]`,
    rule: null,
  },
  {
    why: 'a phrase that the citation hid',
    filter: 'c4',
    text: `${lines(6)}\nlorem [12]ipsum dolor.`,
    rule: 'lorem_ipsum',
  },
  { why: 'a brace in a line that was lost before', filter: 'c4', text: `${lines(5)}\n{ broken line here`, rule: null },
  { why: 'and where it was not', filter: 'c4_fineweb', text: `${lines(5)}\n{ broken line here`, rule: 'curly_bracket' },
  {
    why: 'the first offending line counts',
    filter: 'c4',
    text: `${lines(5)}\nLorem Ipsum { here.\nand { here.`,
    rule: 'lorem_ipsum',
  },
  {
    why: 'two lines of three the same',
    filter: 'gopher_repetition',
    text: 'one line here\none line here\nanother line there',
    rule: 'dup_line_frac',
  },
  { why: 'two words', filter: 'gopher_repetition', text: 'Hello world.', rule: 'top_2_gram' },
  { why: 'one word has no pairs', filter: 'gopher_repetition', text: 'Hello', rule: null },
  { why: 'nothing at all: no share is defined', filter: 'gopher_repetition', text: '', rule: null },
])('$filter, $why → $rule', ({ filter: name, text, rule }) => {
  const filter = findFilter(name)!;
  const prepared = prepare(text, { words: 'simple', language: 'en' });
  const dropped = judge(filter.rules, filter.measure(prepared), 'en').find((v) => !v.keep);
  expect(dropped?.rule ?? null).toBe(rule);
});
