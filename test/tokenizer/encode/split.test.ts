import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { sharedData } from '../../shared.ts';
import {
  classBytes,
  classTable,
  LETTER,
  LOWER_SIDE,
  MARK,
  NUMBER,
  UPPER_SIDE,
  WHITE_SPACE,
} from '../../../tokenizer/encode/classes.ts';
import { PUBLISHED, splitByExpression, SPLITS, type SplitName } from '../../../tokenizer/encode/patterns.ts';
import { openSplitter } from '../../../tokenizer/encode/split.ts';
import { goldenEncodings, randomNumbers, trickyText } from '../texts.ts';

function splitByHand(text: string, split: SplitName): string[] {
  const bytes = Buffer.from(text);
  const next = openSplitter(bytes, split);
  const pieces: string[] = [];
  for (let i = 0; i < bytes.length;) {
    const end = next(i);
    pieces.push(bytes.subarray(i, end).toString());
    i = end;
  }
  return pieces;
}

const goldens = goldenEncodings();

test.skipIf(goldens.length === 0).each(SPLITS)(
  '%s: pre-tokens of the golden strings, by hand and by expression',
  (split) => {
    for (const { text, split: expected } of goldens) {
      expect(splitByHand(text, split)).toEqual(expected[split]);
      expect(splitByExpression(text, split)).toEqual(expected[split]);
    }
  },
);

const patterns = sharedData('tokenizer/patterns.json');
test.skipIf(patterns === null)('the expressions are the published ones', () => {
  const { published, node } = JSON.parse(readFileSync(patterns!, 'utf8')) as Record<string, Record<string, string>>;
  for (const split of SPLITS) {
    const name = split === 'gpt2' ? 'gpt2' : `${split}_base`;
    expect(PUBLISHED[split]).toBe(published![name]);
    expect(splitByExpression("I'll  go\n/ 1234 you'RE", split)).toEqual(
      "I'll  go\n/ 1234 you'RE".match(new RegExp(node![name]!, 'gu')),
    );
  }
});

test.each(SPLITS)('%s: by hand as by expression on random text of tricky characters', (split) => {
  const random = randomNumbers(7);
  for (let i = 0; i < 4000; i++) {
    const text = trickyText(random, 1 + random(24));
    expect(splitByHand(text, split), JSON.stringify(text)).toEqual(splitByExpression(text, split));
  }
});

test('every code point has the class that this Node gives it', () => {
  const sets: [RegExp, number][] = [
    [/^\p{White_Space}$/u, WHITE_SPACE],
    [/^\p{L}$/u, LETTER],
    [/^\p{N}$/u, NUMBER],
    [/^[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]$/u, UPPER_SIDE],
    [/^[\p{Ll}\p{Lm}\p{Lo}\p{M}]$/u, LOWER_SIDE],
    [/^\p{M}$/u, MARK],
  ];
  const bytes = classBytes();
  const { blocks, classes } = classTable();
  const wrong: number[] = [];
  for (let c = 0; c < 0x110000; c++) {
    if (c === 0xd800) c = 0xe000;
    const character = String.fromCodePoint(c);
    const expected = sets.reduce((all, [set, bit]) => (set.test(character) ? all | bit : all), 0);
    if (bytes[c] !== expected || classes[blocks[c >> 8]! * 256 + (c & 255)] !== expected) wrong.push(c);
  }
  expect(wrong).toEqual([]);
});

test.each(SPLITS)('%s: runs of a million are split in linear time', (split) => {
  // The expressions take minutes on some of these.
  for (const run of ['a', 'A', ' ', '\n', '7', '!', '\u0301', '中', ' \n', "A'", '中A']) {
    const text = run.repeat(1_000_000 / run.length);
    const started = process.cpuUsage();
    expect(splitByHand(text, split).join('').length).toBe(text.length);
    expect(process.cpuUsage(started).user / 1000).toBeLessThan(5000);
  }
});
