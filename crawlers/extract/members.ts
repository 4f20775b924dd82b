import { isProse, type Blocks, type Box } from './blocks.ts';
import { bit } from './words.ts';

/** Boxes of one kind in a row: posts of a thread, comments, teasers, cards. Arrays are indexed by box. */
export interface Members {
  /** The outermost member that a box belongs to, or -1. */
  of: Int32Array;
  /** Members of its group, its place among them, its size as a multiple of their mean. */
  count: Float32Array;
  index: Float32Array;
  size: Float32Array;
  /** Does a heading in it say the page's title? */
  titled: Uint8Array;
  /** 1 in the box that holds the heading with the title and below, 2 in what comes later, 0 before, -1 without one. */
  titledBefore: Int8Array;
  /** Share of the page's prose that stands under names such as "comment". */
  commentShare: number;
  /** Prose before the first of them [ln(1 + units)]. */
  proseBeforeComments: number;
  /** Where the first of them stands, as a share of the blocks; 1 without any. */
  firstComment: number;
}

const MAY_REPEAT = new Set(['div', 'article', 'section', 'li', 'table', 'tr', 'dl', 'blockquote', 'tbody']);
const COMMENT = bit('comment') | bit('reply');

/** Finds groups of three or more sibling boxes with one tag and class and some text each. */
export function membersOf({ boxes, blocks }: Blocks, title: string): Members {
  const n = boxes.length;
  const groups = new Map<string, { count: number; units: number }>();
  const keyOf = (b: Box) => `${b.parent} ${b.signature}`;
  for (const b of boxes) {
    if (b.units === 0 || !MAY_REPEAT.has(b.tag)) continue;
    const key = keyOf(b);
    const g = groups.get(key) ?? { count: 0, units: 0 };
    g.count++;
    g.units += b.units;
    groups.set(key, g);
  }
  const of = new Int32Array(n).fill(-1);
  const count = new Float32Array(n);
  const index = new Float32Array(n);
  const size = new Float32Array(n);
  const next = new Map<string, number>();
  for (let i = 1; i < n; i++) {
    const b = boxes[i]!;
    if (of[b.parent]! >= 0) {
      of[i] = of[b.parent]!;
      continue;
    }
    const key = keyOf(b);
    const g = MAY_REPEAT.has(b.tag) && b.units > 0 ? groups.get(key) : undefined;
    if (!g || g.count < 3 || g.units < 16 * g.count) continue;
    of[i] = i;
    count[i] = g.count;
    index[i] = next.get(key) ?? 0;
    next.set(key, index[i]! + 1);
    size[i] = Math.min(20, (b.units * g.count) / g.units);
  }
  const titled = new Uint8Array(n);
  const titledBefore = new Int8Array(n).fill(-1);
  const heading =
    title.length < 5
      ? undefined
      : blocks.find((b) => b.heading > 0 && b.text.length > 4 && same(b.text.toLowerCase(), title));
  if (heading) {
    if (of[heading.box]! >= 0) titled[of[heading.box]!] = 1;
    // The heading's own box may hold nothing but headings: the one above it that has text is the article's.
    let home = heading.box;
    while (home > 0 && boxes[home]!.proseUnits === 0) home = boxes[home]!.parent;
    for (let i = 0; i < n; i++)
      titledBefore[i] = i < home ? 0 : i === home || titledBefore[boxes[i]!.parent] === 1 ? 1 : 2;
  }
  let [prose, comments, before, first] = [0, 0, 0, -1];
  for (const [i, b] of blocks.entries()) {
    if (!isProse(b)) continue;
    const box = boxes[b.box]!;
    prose += b.units;
    if (((box.own | box.above) & COMMENT) !== 0) {
      comments += b.units;
      if (first < 0) first = i;
    } else if (first < 0) before += b.units;
  }
  return {
    of,
    count,
    index,
    size,
    titled,
    titledBefore,
    commentShare: prose > 0 ? comments / prose : 0,
    proseBeforeComments: Math.log1p(before),
    firstComment: first < 0 ? 1 : first / blocks.length,
  };
}

const same = (heading: string, title: string): boolean =>
  heading === title || title.startsWith(heading) || heading.startsWith(title);
