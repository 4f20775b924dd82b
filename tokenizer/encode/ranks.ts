import { GarnerError } from '../../core/errors.ts';
import type { SplitName } from './patterns.ts';
import { MOST_TOKENS, type Vocabulary } from './vocabulary.ts';

/** Where OpenAI's vocabularies (by their number of ranks) have the token that ends a document; others get the next id. */
const END_OF_TEXT: Record<number, number> = { 50256: 50256, 100256: 100257, 199998: 199999 };

const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

/**
 * Reads a tiktoken ranks file: a line `<base64> <id>` a token, or the compact lines of npm `tiktoken`,
 * `! <first id> <base64> <base64> …`. Throws a GarnerError that names the line.
 */
export function readRanks(text: string, split: SplitName, where: string): Vocabulary {
  const tokens: Uint8Array[] = [];
  const seen = new Set<string>();
  for (const [index, line] of text.split('\n').entries()) {
    const parts = line.trim().split(/\s+/);
    if (parts[0] === '') continue;
    const compact = parts[0] === '!';
    let id = Number(parts[1]);
    const bad = (what: string) =>
      new GarnerError({
        what,
        where: `${where}:${index + 1}`,
        hint: 'a tokenizer.json, or a ranks file with lines of "<base64> <id>", is expected',
        fault: 2,
      });
    if (!Number.isInteger(id) || id < 0 || id >= MOST_TOKENS || (!compact && parts.length !== 2))
      throw bad('this is no line of a ranks file');
    for (const encoded of compact ? parts.slice(2) : [parts[0]!]) {
      if (id >= MOST_TOKENS || !BASE64.test(encoded) || encoded.length % 4 !== 0)
        throw bad(`"${encoded}" is no base64`);
      if (seen.has(encoded)) throw bad(`token "${encoded}" occurs twice`);
      if (tokens[id]) throw bad(`id ${id} occurs twice`);
      seen.add(encoded);
      tokens[id++] = new Uint8Array(Buffer.from(encoded, 'base64'));
    }
  }
  const filled = Array.from(tokens, (t) => t ?? new Uint8Array());
  const endOfText = END_OF_TEXT[filled.length] ?? filled.length;
  return {
    split,
    tokens: filled,
    merges: null,
    whole: true,
    specialTokens: { '<|endoftext|>': endOfText },
    endOfText,
  };
}
