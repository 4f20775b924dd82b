import { BAD_PLACE, type Block, type Blocks, type Box } from './blocks.ts';
import { bit, type Concept } from './words.ts';

const share = (part: number, of: number): number => (of > 0 ? part / of : 0);
const MARKS = /[,，、；;،。.!?！？]/g;

/**
 * Readability's score of every box: prose gives its parent a whole, the boxes above a half, a quarter, a sixth of its
 * score (1 + length + commas and sentence ends), damped by the share of link text. Mozilla readability @ ab4027a, changed.
 */
export function containerScores(blocks: readonly Block[], boxes: readonly Box[], skip?: Uint8Array): Float64Array {
  const scores = new Float64Array(boxes.length);
  for (const b of blocks) {
    if (b.units < 12 || b.heading > 0 || b.linkUnits * 3 > b.units || skip?.[b.box]) continue;
    const value = 1 + Math.min(3, b.units / 50) + Math.min(6, (b.text.slice(0, 2000).match(MARKS)?.length ?? 0) / 3);
    const { tag, parent } = boxes[b.box]!;
    let at = tag === 'p' || tag === 'li' ? parent : b.box;
    for (let level = 0; level < 4 && at > 0; level++, at = boxes[at]!.parent)
      scores[at]! += level === 0 ? value : value / (2 * level);
  }
  for (const [i, box] of boxes.entries()) scores[i]! *= 1 - share(box.linkUnits, box.units);
  return scores;
}

/** For every box: how far up from `target` the two meet [levels], and how far below that the box lies. */
export function gaps(boxes: readonly Box[], target: number): { gap: Int16Array; below: Int16Array } {
  const gap = new Int16Array(boxes.length).fill(-1);
  const below = new Int16Array(boxes.length);
  for (let at = target, up = 0; at >= 0; at = boxes[at]!.parent) gap[at] = Math.min(up++, 60);
  for (let i = 1; i < boxes.length; i++) {
    if (gap[i]! >= 0) continue;
    const parent = boxes[i]!.parent;
    gap[i] = gap[parent]!;
    below[i] = Math.min(below[parent]! + 1, 60);
  }
  return { gap, below };
}

const any = (...concepts: Concept[]): number => concepts.reduce((bits, c) => bits | bit(c), 0);
const UNLIKELY = any(
  'comment',
  'reply',
  'related',
  'sidebar',
  'ad',
  'nav',
  'footer',
  'cookie',
  'newsletter',
  'breadcrumb',
  'share',
);
const LIKELY = any('content', 'article', 'post');

/** The best container when everything with an unlikely name or place is left out: an article above its longer comments. */
export function cleanContainer({ blocks, boxes }: Blocks): {
  gap: Int16Array;
  share: number;
  prose: number;
  unlikely: Uint8Array;
} {
  const unlikely = new Uint8Array(boxes.length);
  for (const [i, box] of boxes.entries()) {
    const named = (box.own & UNLIKELY) !== 0 && ((box.own & LIKELY) === 0 || (box.own & bit('comment')) !== 0);
    unlikely[i] = (box.parent >= 0 && unlikely[box.parent]) || named || (box.places & BAD_PLACE) !== 0 ? 1 : 0;
  }
  const scores = containerScores(blocks, boxes, unlikely);
  let best = 0;
  for (let i = 1; i < scores.length; i++) if (scores[i]! > scores[best]!) best = i;
  const prose = boxes[best]!.proseUnits;
  return { gap: gaps(boxes, best).gap, share: share(prose, boxes[0]!.proseUnits), prose: Math.log1p(prose), unlikely };
}
