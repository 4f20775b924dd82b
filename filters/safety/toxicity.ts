import { defineFilter } from '../rules.ts';
import { openMatcher, wordList, type Hits } from './word-list.ts';
import type { Text } from '../text.ts';

/** Lists are met with caution: they hit pages on health, law and dialect first. So one or two words never drop a page. */
const FEWEST_DIFFERENT = 3;

/** Obscene and abusive words by list, counted as whole words. */
export const toxicity = defineFilter({
  name: 'toxicity',
  version: 1,
  about:
    'Obscene and abusive words of a list, at least three different ones and dense; a list is no judge of what is said.',
  source: 'LDNOOBW lists (npm naughty-words 1.2.0, CC BY 4.0), which C4 uses',
  needs: ['words', 'language', 'word lists'],
  signals: {
    hits: 'words of the list [count]',
    distinct: 'different words of the list [count]',
    per_thousand: 'words of the list per 1,000 words [count]',
    density: 'the same where at least three different ones occur, else 0 [count]',
  },
  measure(text) {
    const { hits, distinct } = count(text);
    const perThousand = text.words.count === 0 ? null : (1000 * hits) / text.words.count;
    const density = perThousand === null || distinct >= FEWEST_DIFFERENT ? perThousand : 0;
    return { hits, distinct, per_thousand: perThousand, density };
  },
  rules: [{ rule: 'toxic_words', signal: 'density', above: 10 }],
});

const matchers = new Map<string, (text: string, words: Text['words']) => Hits>();

function count({ raw, words, language }: Text): Hits {
  let match = matchers.get(language);
  if (!match) {
    const list = wordList(language);
    if (!list) return { hits: 0, distinct: 0 };
    // Chinese pages use English words too; other languages share too many short spellings with English.
    match = openMatcher(language === 'zh' ? [...new Set([...list, ...wordList('en')!])] : list);
    matchers.set(language, match);
  }
  return match(raw, words);
}
