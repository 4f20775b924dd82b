import { joinPieces, overlap, pieces, shingles, type Overlap, type Piece } from './jaccard.ts';
import type { Random } from './random.ts';
import { mainText, type Article, type Block } from './types.ts';

/** A pair of pages that are alike; the numbers are counted on the finished main texts. */
export interface AlikePair extends Overlap {
  a: string;
  b: string;
  /** The level that was aimed at. */
  level: number;
  jaccard: number;
}

/** Similarities that are planted; the true value lies at most a hundredth above. */
export const LEVELS = [0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95];

const STYLES = ['replace', 'insert', 'delete', 'block'] as const;

/**
 * A partner of `base` at `path`: the same text with words replaced, inserted or left out until the Jaccard similarity of
 * the two would fall under `level`.
 */
export function nearPartner(
  base: Article,
  path: string,
  level: number,
  random: Random,
): { partner: Article; pair: AlikePair } {
  const blocks = base.blocks.map((b) => ({ tag: b.tag, pieces: pieces(b.text) }));
  const pool = blocks.flatMap((b) => b.pieces).filter((p) => /^\p{L}+$/u.test(p.word));
  const original = shingles(mainText(base));
  const style = random.pick(STYLES);
  let text = base.blocks;
  let now = overlap(original, original);
  const tokens = blocks.reduce((n, b) => n + b.pieces.length, 0);
  // Each lone change breaks five shingles on both sides; steps shrink as the level comes near.
  for (let guard = 0; guard < 400; guard++) {
    const before = blocks.map((b) => [...b.pieces]);
    const gap = now.inter / now.union - level;
    const changes = Math.max(1, Math.floor((tokens * gap) / 25));
    for (let i = 0; i < changes; i++) change(blocks, style, pool, random);
    const next = blocks.map((b): Block => ({ tag: b.tag, text: joinPieces(b.pieces) }));
    const reached = overlap(original, shingles(next.map((b) => b.text).join('\n')));
    if (reached.inter / reached.union < level) {
      for (const [i, b] of blocks.entries()) b.pieces = before[i]!;
      if (changes === 1) break;
      continue;
    }
    text = next;
    now = reached;
    if (now.inter / now.union - level < 0.004) break;
  }
  const partner: Article = { ...base, path, kind: 'near', title: base.title, blocks: text, personal: [] };
  const { inter, union } = overlap(original, shingles(mainText(partner)));
  return { partner, pair: { a: base.path, b: path, level, inter, union, jaccard: inter / union } };
}

function change(
  blocks: { pieces: Piece[] }[],
  style: (typeof STYLES)[number],
  pool: readonly Piece[],
  random: Random,
): void {
  const { pieces: list } = random.pick(blocks);
  if (list.length < 12) return;
  const at = 1 + random.int(list.length - 2);
  const fresh = (): Piece => ({ gap: list[at]!.gap, word: random.pick(pool).word });
  if (style === 'replace') list[at] = fresh();
  else if (style === 'insert') list.splice(at, 0, fresh());
  else if (style === 'delete') list.splice(at, 1);
  else
    for (let i = at; i < Math.min(at + 4, list.length - 1); i++)
      list[i] = { gap: list[i]!.gap, word: random.pick(pool).word };
}
