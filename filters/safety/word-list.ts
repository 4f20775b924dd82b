import { createRequire } from 'node:module';
import { dependencyVersion } from '../../core/root.ts';
import type { Words } from '../../core/text/index.ts';

/** Entries of a language that stand in ordinary text far more often than in the sense the list means. */
const ORDINARY: Record<string, readonly string[]> = { zh: ['性', '日', '干', '操', '屎', '尿', '屁', '色', '淫'] };

let lists: ReadonlyMap<string, readonly string[]> | undefined;

/** The LDNOOBW list of a language (ISO 639-1), lower case; undefined where there is none. CC BY 4.0. */
export function wordList(language: string): readonly string[] | undefined {
  // A Map: the language may be stated by the input, and an object would know `constructor`.
  lists ??= new Map(
    Object.entries(createRequire(import.meta.url)('naughty-words') as Record<string, readonly string[]>),
  );
  const list = lists.get(language);
  if (!list) return undefined;
  const skipped = new Set(ORDINARY[language]);
  return [...new Set(list.map((w) => w.toLowerCase()))].filter((w) => !skipped.has(w)).toSorted();
}

/** What stored counts depend on beside the words of a text. */
export const wordListsVersion = (): string => `naughty-words ${dependencyVersion('naughty-words')}`;

/** How often entries of a list occur, and how many different ones. */
export interface Hits {
  hits: number;
  distinct: number;
}

/**
 * Counts the entries of a list that begin where a word begins and end where a word ends: `ass` is not found in `class`,
 * nor 鸡 in 鸡蛋, as long as the words are words. An entry may span several words. Of two that begin together the longer
 * counts, and none begins inside another.
 */
export function openMatcher(entries: readonly string[]): (text: string, words: Words) => Hits {
  const byPrefix = new Map<string, string[]>();
  for (const entry of entries.toSorted((a, b) => b.length - a.length)) {
    const key = entry.slice(0, 1);
    byPrefix.set(key, [...(byPrefix.get(key) ?? []), entry]);
  }
  return (text, words) => {
    const candidates = Array.from({ length: words.different }, (_, kind) => candidatesOf(byPrefix, words.word(kind)));
    const ends = endsOf(words);
    const seen = new Set<string>();
    let hits = 0;
    let free = 0;
    for (let i = 0; i < words.count; i++) {
      const list = candidates[words.kinds[i]!]!;
      const start = words.bounds[2 * i]!;
      if (list.length === 0 || start < free) continue;
      const entry = list.find(
        (e) => ends.has(start + e.length) && text.slice(start, start + e.length).toLowerCase() === e,
      );
      if (entry === undefined) continue;
      hits++;
      seen.add(entry);
      free = start + entry.length;
    }
    return { hits, distinct: seen.size };
  };
}

/** The entries that a word is, or that it begins: looked up once a kind, so that clean words cost nothing. */
function candidatesOf(byPrefix: ReadonlyMap<string, readonly string[]>, word: string): readonly string[] {
  const lower = word.toLowerCase();
  const near = byPrefix.get(lower.slice(0, 1));
  return near === undefined ? [] : near.filter((entry) => entry.startsWith(lower));
}

function endsOf(words: Words): ReadonlySet<number> {
  const ends = new Set<number>();
  for (let i = 0; i < words.count; i++) ends.add(words.bounds[2 * i + 1]!);
  return ends;
}
