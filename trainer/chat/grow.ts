import type { Vocabulary } from '../sample/vocabulary.ts';

/** A tokenizer that has all marks of a template. */
export interface GrownTokenizer {
  vocabulary: Vocabulary;
  /** Content of its tokenizer.json. */
  json: string;
  /** Marks that it lacked, and their ids. */
  added: ReadonlyMap<string, number>;
}

/** Gives a tokenizer the marks that it lacks, as special tokens behind all others. `json`: content of a tokenizer.json. */
export function growTokenizer(json: string, vocabulary: Vocabulary, marks: readonly string[]): GrownTokenizer {
  const missing = [...new Set(marks)].filter((mark) => vocabulary.special(mark) === null);
  const added = new Map(missing.map((mark, i) => [mark, vocabulary.size + i]));
  if (added.size === 0) return { vocabulary, json, added };
  const file = JSON.parse(json) as { added_tokens?: object[] | null };
  const form = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
  file.added_tokens = [...(file.added_tokens ?? []), ...[...added].map(([content, id]) => ({ id, content, ...form }))];
  const ids = new Set(added.values());
  return {
    vocabulary: {
      ...vocabulary,
      size: vocabulary.size + added.size,
      specials: [...vocabulary.specials, ...ids],
      special: (content) => added.get(content) ?? vocabulary.special(content),
      bytes: (id) => (ids.has(id) ? new Uint8Array() : vocabulary.bytes(id)),
    },
    json: `${JSON.stringify(file, null, 2)}\n`,
    added,
  };
}
