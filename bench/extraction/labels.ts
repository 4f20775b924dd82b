import type { Block } from '../../crawlers/extract/blocks.ts';

/** Words as the scorer counts them: every Han or kana character alone, others in lower case. */
export const scoredWords = (text: string): string[] =>
  text
    .toLowerCase()
    .match(
      /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}]|(?:(?![\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}])[\p{L}\p{N}_])+/gu,
    ) ?? [];

/**
 * For each block the share of its words that the gold text has in runs of three or more. Shorter blocks count where gold
 * has them beside the end of the block before or the beginning of the one after. Of equal blocks only as many as gold has.
 */
export function labelBlocks(blocks: readonly Block[], gold: string): Float32Array {
  const goldWords = scoredWords(gold);
  const joined = ` ${goldWords.join(' ')} `;
  const grams = new Map<string, number>();
  for (let i = 0; i + 3 <= goldWords.length; i++) {
    const key = goldWords.slice(i, i + 3).join(' ');
    grams.set(key, (grams.get(key) ?? 0) + 1);
  }
  const words = blocks.map((b) => scoredWords(b.text));
  const labels = new Float32Array(blocks.length);
  for (const [i, own] of words.entries()) {
    if (own.length < 3) continue;
    let covered = 0;
    let until = 0;
    for (let k = 0; k + 3 <= own.length; k++) {
      if (!grams.has(own.slice(k, k + 3).join(' '))) continue;
      covered += k + 3 - Math.max(k, until);
      until = k + 3;
    }
    labels[i] = covered / own.length;
    if (own.length < 6 && labels[i]! < 1) labels[i] = 0;
  }
  for (const [i, own] of words.entries()) {
    if (own.length >= 3 || own.length === 0) continue;
    const mine = own.join(' ');
    const before = words[i - 1]?.slice(-2).join(' ');
    const after = words[i + 1]?.slice(0, 2).join(' ');
    const fits = (before && joined.includes(` ${before} ${mine} `)) || (after && joined.includes(` ${mine} ${after} `));
    labels[i] = fits ? 1 : 0;
  }
  // Copies of one text (a teaser, a mobile menu): those that stand among main text are the ones that gold means.
  const copies = new Map<string, number[]>();
  for (const [i, own] of words.entries()) {
    if (labels[i]! < 0.5) continue;
    const key = own.join(' ');
    copies.set(key, [...(copies.get(key) ?? []), i]);
  }
  const first = Float32Array.from(labels);
  const around = (i: number) => {
    let sum = 0;
    for (let j = Math.max(0, i - 4); j <= Math.min(blocks.length - 1, i + 4); j++) if (j !== i) sum += first[j]!;
    return sum;
  };
  for (const [key, at] of copies) {
    if (at.length < 2) continue;
    const allowed = Math.max(1, joined.split(` ${key} `).length - 1);
    const byPlace = at.toSorted((a, b) => around(b) - around(a) || a - b);
    for (const i of byPlace.slice(allowed)) labels[i] = 0;
  }
  return labels;
}
