import { createRequire } from 'node:module';
import { BASIC, WHITE } from './characters.ts';
import type { Tokenize } from './spacy.ts';
import { emptySpans, pushSpan } from './units.ts';

const SPACE = 0x20;

let opened: Tokenize | undefined;

/**
 * Words of Chinese by jieba (accurate mode, with its model of unknown words), and white space between them as spaCy makes
 * tokens of it. The dictionary is loaded once, when it is first needed (0.2 s).
 */
export function chineseTokenizer(): Tokenize {
  opened ??= open();
  return opened;
}

function open(): Tokenize {
  const require = createRequire(import.meta.url);
  const { Jieba } = require('@node-rs/jieba') as typeof import('@node-rs/jieba');
  const { dict } = require('@node-rs/jieba/dict') as { dict: Uint8Array };
  const jieba = Jieba.withDict(dict);
  return (text, units) => {
    const tokens = emptySpans(units.length / 2);
    let at = 0;
    let from = 0;
    // A lone surrogate would come back as another character of the same width: lengths are all that is taken.
    for (const word of resplit(jieba.cut(text.toWellFormed(), true))) {
      const start = at;
      at += word.length;
      if (BASIC[units[start]!]! & WHITE) continue;
      if (units[from] === SPACE && from > 0 && from < start) from++;
      if (from < start) pushSpan(tokens, from, start);
      pushSpan(tokens, start, at);
      from = at;
    }
    if (units[from] === SPACE && from > 0) from++;
    if (from < units.length) pushSpan(tokens, from, units.length);
    return tokens;
  };
}

/** What the port takes for one word where the original writes an escaped full stop: `step-2`, `a%5`. */
const TORN = /^([a-zA-Z0-9]+)([+#&_%-])(\d+%?)$/;
const DIGITS = /^\d+%?$/;

/**
 * Cuts as jieba 0.42 does where its port differs: the port's pattern for Latin letters and digits lets any character stand
 * for the decimal point.
 */
function* resplit(words: readonly string[]): Generator<string> {
  for (let i = 0; i < words.length; i++) {
    const match = words[i]!.length <= LONGEST_TORN ? TORN.exec(words[i]!) : null;
    if (!match) {
      yield words[i]!;
      continue;
    }
    const [, before, mark, digits] = match as unknown as [string, string, string, string];
    if (mark === '%') yield `${before}%`;
    else yield* [before, mark];
    const decimal = !digits.endsWith('%') && words[i + 1] === '.' && DIGITS.test(words[i + 2] ?? '');
    yield decimal ? `${digits}.${words[i + 2]}` : digits;
    if (decimal) i += 2;
  }
}

/** Longer words are left as they are [code units]. */
const LONGEST_TORN = 100;
