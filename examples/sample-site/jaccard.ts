// Similarity as garner's manifests of near-duplicates state it: lower case, one token a Han, Hiragana or Katakana character
// or a longest run of other letters, numbers, marks and underscores, or one other visible character; five tokens a shingle.
const CJK = '\\p{Script=Han}\\p{Script=Hiragana}\\p{Script=Katakana}';
const TOKEN = new RegExp(`[${CJK}]|(?:(?![${CJK}])[\\p{L}\\p{N}\\p{M}_])+|[^\\s]`, 'gu');
const SHINGLE = 5;

/** A token as it stands in the text, with the white space before it. */
export interface Piece {
  gap: string;
  word: string;
}

/** The tokens of a text, each with the white space before it. */
export function pieces(text: string): Piece[] {
  const out: Piece[] = [];
  let end = 0;
  for (const m of text.matchAll(TOKEN)) {
    out.push({ gap: text.slice(end, m.index), word: m[0] });
    end = m.index + m[0].length;
  }
  return out;
}

/** The text that such pieces make. */
export const joinPieces = (list: readonly Piece[]): string =>
  list.map((p, i) => (i === 0 ? '' : p.gap) + p.word).join('');

/** The set of different shingles of a text; a text of one to four tokens has one, itself. */
export function shingles(text: string): Set<string> {
  const tokens = text.toLowerCase().match(TOKEN) ?? [];
  const set = new Set<string>();
  if (tokens.length > 0 && tokens.length < SHINGLE) set.add(tokens.join(' '));
  for (let i = 0; i + SHINGLE <= tokens.length; i++) set.add(tokens.slice(i, i + SHINGLE).join(' '));
  return set;
}

export interface Overlap {
  inter: number;
  union: number;
}

/** How many shingles two sets share, and have together. */
export function overlap(a: ReadonlySet<string>, b: ReadonlySet<string>): Overlap {
  let inter = 0;
  for (const s of a) if (b.has(s)) inter++;
  return { inter, union: a.size + b.size - inter };
}
