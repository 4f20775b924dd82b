import { isProse, PLACES, type Block, type Blocks, type Box } from './blocks.ts';
import { cleanContainer, containerScores, gaps } from './containers.ts';
import { membersOf } from './members.ts';
import { announcesEnd, TEXT_NUMBERS, textNumbers } from './text-numbers.ts';
import { CONCEPT_NAMES } from './words.ts';

/** What the page says of itself, to hold blocks against. */
export interface PageContext {
  title: string;
  description: string;
  /** Text of the article in JSON-LD, or ''. */
  articleBody: string;
  /** Open Graph's type says article, or JSON-LD has one. */
  isArticle: boolean;
  /** Open Graph, viewport, JSON-LD: how many of them the page has. Old pages have none, and other habits. */
  modern: number;
}

const BASE = [
  ...TEXT_NUMBERS,
  'link_share',
  'links',
  'link_length',
  'all_link',
  'hash_links',
  'parent_link_share',
  'grand_link_share',
  'run_link_share',
  'heading',
  'tag_p',
  'tag_li',
  'tag_cell',
  'tag_pre',
  'tag_div',
  'tag_control',
  'tag_caption',
  'tag_dt',
  'tag_dd',
  'depth',
  'marker',
  'row',
  'index',
  'before_share',
  'from_end',
  'after_h1',
  'before_prose',
  'after_prose',
  'same_text',
  'title_overlap',
  'is_title',
  'in_description',
  'in_body',
  'parent_units',
  'grand_units',
  'parent_prose',
  'grand_prose',
  'in_top',
  'top_share',
  'best_score',
  'signature_count',
  'signature_units',
  'signature_links',
  'siblings',
  'sibling_units',
  'up1_siblings',
  'up1_sibling_units',
  'up1_link_share',
  'up2_siblings',
  'up2_sibling_units',
  'up2_link_share',
  'article_boxes',
  'itemprop_body',
  'date_above',
  'container_rank',
  'page_blocks',
  'page_units',
  'page_link_share',
  'page_prose_share',
  'page_posts',
  'page_prices',
  'page_prose_mean',
  'page_list_share',
  'page_article',
  'page_modern',
  'best_gap',
  'best_below',
  'h1_gap',
  'after_end',
  'after_heading',
  'under_end',
  'own_score',
  'copies',
  'comment_share',
  'comment_prose',
  'member_count',
  'member_index',
  'member_size',
  'member_titled',
  'titled_before',
  'page_comment_first',
  'clean_gap',
  'clean_share',
  'clean_prose',
  'unlikely',
] as const;
type Base = (typeof BASE)[number];
const NEAR = [
  'ln_units',
  'link_share',
  'end_mark',
  'tag_p',
  'heading',
  'stop_words',
  'best_score',
  'is_prose',
] as const;
const STEPS = [-2, -1, 1, 2] as const;

/** Names of the numbers of a block, in their order. */
export const FEATURES: readonly string[] = [
  ...BASE,
  ...PLACES.map((p) => `in_${p}`),
  ...CONCEPT_NAMES.map((c) => `near_${c}`),
  ...CONCEPT_NAMES.map((c) => `above_${c}`),
  'is_prose',
  'same_box_before',
  'same_box_after',
  ...STEPS.flatMap((s) => NEAR.map((n) => `${n}_${s}`)),
];
const AT = Object.fromEntries(FEATURES.map((name, i) => [name, i])) as Record<string, number>;

const tokens = (text: string): Set<string> => new Set(text.toLowerCase().match(/[\p{sc=Han}]|[\p{L}\p{N}]+/gu) ?? []);

/** Numbers of every block, row by row: [blocks × FEATURES]. Each depends on one page alone. */
export function featuresOf(page: Blocks, context: PageContext): Float32Array {
  const { blocks, boxes } = page;
  const width = FEATURES.length;
  const out = new Float32Array(blocks.length * width);
  const whole = summarise(page);
  const title = tokens(context.title);
  const titleText = context.title.toLowerCase().trim();
  const seen = new Set<string>();
  const copies = new Map<string, number>();
  for (const b of blocks) if (b.units > 3) copies.set(b.text, (copies.get(b.text) ?? 0) + 1);
  const members = membersOf(page, titleText);
  const clean = cleanContainer(page);
  let before = 0;
  let h1 = -1;
  let sinceProse = -1;
  let lastEnd = -1;
  let lastHeading = -1;
  let headingEnds = false;
  for (const [i, b] of blocks.entries()) {
    const row = out.subarray(i * width, (i + 1) * width);
    const put = (name: Base | 'is_prose', value: number) => void (row[AT[name]!] = value);
    const box = boxes[b.box]!;
    textNumbers(b, put);
    const up = ancestors(boxes, b.box);
    const [parent, grand, great] = up as [Box, Box, Box];
    put('link_share', share(b.linkUnits, b.units));
    put('links', Math.min(b.links, 50));
    put('link_length', b.links > 0 ? b.linkUnits / b.links : 0);
    put('all_link', b.links === 1 && b.linkUnits >= b.units ? 1 : 0);
    put('hash_links', share(b.hashLinks, b.links));
    put('parent_link_share', share(parent.linkUnits, parent.units));
    put('grand_link_share', share(grand.linkUnits, grand.units));
    put('run_link_share', whole.runLinks(i));
    put('heading', b.heading);
    put('tag_p', b.tag === 'p' ? 1 : 0);
    put('tag_li', b.tag === 'li' ? 1 : 0);
    put('tag_cell', b.tag === 'td' || b.tag === 'th' ? 1 : 0);
    put('tag_pre', b.tag === 'pre' ? 1 : 0);
    put('tag_div', b.tag === 'div' || b.tag === 'section' || b.tag === 'body' ? 1 : 0);
    put('tag_control', /^(?:button|label|option|select|textarea|legend|summary)$/.test(b.tag) ? 1 : 0);
    put('tag_caption', b.tag === 'figcaption' || b.tag === 'caption' ? 1 : 0);
    put('tag_dt', b.tag === 'dt' ? 1 : 0);
    put('tag_dd', b.tag === 'dd' ? 1 : 0);
    put('depth', Math.min(box.depth, 60));
    put('marker', b.marker === '' ? 0 : 1);
    put('row', b.row >= 0 ? 1 : 0);
    put('index', i / blocks.length);
    put('before_share', share(before, whole.units));
    put('from_end', blocks.length - i);
    if (b.heading === 1) h1 = i;
    put('after_h1', h1 < 0 ? -1 : Math.min(i - h1, 200));
    put('after_prose', sinceProse < 0 ? -1 : Math.min(i - sinceProse, 50));
    put('before_prose', whole.nextProse(i));
    if (isProse(b)) sinceProse = i;
    put('same_text', seen.has(b.text) ? 1 : 0);
    if (seen.size < 50_000) seen.add(b.text);
    if (b.units < 120) {
      const mine = tokens(b.text);
      let shared = 0;
      for (const t of mine) if (title.has(t)) shared++;
      put('title_overlap', mine.size > 0 ? shared / Math.max(mine.size, Math.min(title.size, 4)) : 0);
      const low = b.text.toLowerCase().trim();
      put('is_title', low.length > 4 && (titleText === low || titleText.startsWith(low)) ? 1 : 0);
    }
    const part = b.text.slice(0, 60);
    put('in_description', part.length > 20 && context.description.includes(part) ? 1 : 0);
    put(
      'in_body',
      context.articleBody === ''
        ? -1
        : context.articleBody.includes(part.replaceAll('\n', ' ')) && part.length > 8
          ? 1
          : 0,
    );
    put('parent_units', Math.log1p(parent.units));
    put('grand_units', Math.log1p(grand.units));
    put('parent_prose', share(parent.proseUnits, parent.units));
    put('grand_prose', share(grand.proseUnits, grand.units));
    put('in_top', whole.inTop(b.box) ? 1 : 0);
    put('top_share', whole.topShare);
    put('best_score', whole.bestScore(b.box));
    put('container_rank', whole.depthInTop(b.box));
    const like = whole.signatures.get(whole.path(b.box))!;
    put('signature_count', Math.log1p(like.count));
    put('signature_units', like.units / like.count);
    put('signature_links', share(like.linkUnits, like.units));
    for (const [name, of] of [
      ['', box],
      ['up1_', grand],
      ['up2_', great],
    ] as const) {
      const group = whole.siblings(of);
      if (name === '') {
        put('siblings', Math.log1p(group.count));
        put('sibling_units', Math.log1p(group.units / group.count));
      } else {
        put(`${name}siblings`, Math.log1p(group.count));
        put(`${name}sibling_units`, Math.log1p(group.units / group.count));
        put(`${name}link_share`, share(group.linkUnits, group.units));
      }
    }
    put('article_boxes', Math.min(whole.articles, 20));
    put('itemprop_body', whole.inBody(b.box) ? 1 : 0);
    put('page_blocks', Math.log1p(blocks.length));
    put('page_units', Math.log1p(whole.units));
    put('page_link_share', whole.linkShare);
    put('page_prose_share', whole.proseShare);
    put('page_posts', whole.posts);
    put('page_prices', whole.prices);
    put('page_prose_mean', Math.log1p(whole.proseMean));
    put('page_list_share', whole.listShare);
    put('page_article', context.isArticle ? 1 : 0);
    put('page_modern', context.modern);
    put('best_gap', whole.bestGap[b.box]!);
    put('best_below', whole.bestBelow[b.box]!);
    put('h1_gap', whole.h1Gap[b.box]!);
    put('own_score', whole.ownScore(b.box));
    put('copies', copies.get(b.text) ?? 0);
    put('comment_share', members.commentShare);
    put('comment_prose', members.proseBeforeComments);
    put('page_comment_first', members.firstComment);
    put('clean_gap', clean.gap[b.box]!);
    put('clean_share', clean.share);
    put('clean_prose', clean.prose);
    put('unlikely', clean.unlikely[b.box]!);
    const member = members.of[b.box]!;
    put('member_count', member < 0 ? 0 : Math.min(members.count[member]!, 100));
    put('member_index', member < 0 ? -1 : Math.min(members.index[member]!, 100));
    put('member_size', member < 0 ? 0 : members.size[member]!);
    put('member_titled', member < 0 ? -1 : members.titled[member]!);
    put('titled_before', members.titledBefore[b.box]!);
    const ends = announcesEnd(b);
    if (ends) lastEnd = i;
    if (b.heading > 0) [lastHeading, headingEnds] = [i, ends];
    put('after_end', lastEnd < 0 ? -1 : Math.min(i - lastEnd, 50));
    put('after_heading', lastHeading < 0 ? -1 : Math.min(i - lastHeading, 50));
    put('under_end', headingEnds ? 1 : 0);
    put('is_prose', isProse(b) ? 1 : 0);
    for (let k = 0; k < PLACES.length; k++) row[AT['in_article']! + k] = (b.places >> k) & 1;
    const near = box.own | b.inline | (boxes[box.parent]?.own ?? 0);
    for (let k = 0; k < CONCEPT_NAMES.length; k++) {
      row[AT[`near_content`]! + k] = (near >> k) & 1;
      row[AT[`above_content`]! + k] = ((box.above | box.own) >> k) & 1;
    }
    row[AT['same_box_before']!] = i > 0 && sameParent(boxes, blocks[i - 1]!, b) ? 1 : 0;
    row[AT['same_box_after']!] = i + 1 < blocks.length && sameParent(boxes, blocks[i + 1]!, b) ? 1 : 0;
    before += b.units;
  }
  for (let i = 0; i < blocks.length; i++) {
    for (const step of STEPS) {
      const j = i + step;
      for (const name of NEAR)
        out[i * width + AT[`${name}_${step}`]!] = j < 0 || j >= blocks.length ? -1 : out[j * width + AT[name]!]!;
    }
  }
  return out;
}

const share = (part: number, of: number): number => (of > 0 ? part / of : 0);
const sameParent = (boxes: Box[], a: Block, b: Block) =>
  a.box === b.box || boxes[a.box]!.parent === boxes[b.box]!.parent;

function ancestors(boxes: Box[], box: number): Box[] {
  const up: Box[] = [];
  for (let at = boxes[box]!.parent; up.length < 3; at = boxes[Math.max(at, 0)]!.parent)
    up.push(boxes[Math.max(at, 0)]!);
  return up;
}

interface Group {
  count: number;
  units: number;
  linkUnits: number;
}

/** Numbers of the page as a whole, and of its containers. */
function summarise({ blocks, boxes }: Blocks) {
  const root = boxes[0]!;
  const units = root.units;
  const groups = new Map<string, Group>();
  const add = (map: Map<string, Group>, key: string, of: { units: number; linkUnits: number }) => {
    const g = map.get(key) ?? { count: 0, units: 0, linkUnits: 0 };
    g.count++;
    g.units += of.units;
    g.linkUnits += of.linkUnits;
    map.set(key, g);
  };
  const siblingKey = (box: Box) => `${box.parent} ${box.signature}`;
  for (const box of boxes) if (box.units > 0) add(groups, siblingKey(box), box);
  const path = (at: number) => {
    const box = boxes[at]!;
    return `${boxes[Math.max(box.parent, 0)]!.signature}>${box.signature}`;
  };
  const signatures = new Map<string, Group>();
  for (const b of blocks) add(signatures, path(b.box), b);

  const scores = containerScores(blocks, boxes);
  let best = 0;
  for (const [i, box] of boxes.entries()) {
    if (box.places & (1 << PLACES.indexOf('nav'))) scores[i]! *= 0.2;
    best = Math.max(best, scores[i]!);
  }
  const inherited = new Float64Array(boxes.length);
  for (let i = 1; i < boxes.length; i++) inherited[i] = Math.max(scores[i]!, inherited[boxes[i]!.parent]! * 0.999);

  // The smallest box with more than 60 % of the page's prose.
  let top = 0;
  for (let i = 1; i < boxes.length; i++)
    if (boxes[i]!.proseUnits > 0.6 * root.proseUnits && root.proseUnits > 0) top = i;
  const within = new Int16Array(boxes.length).fill(-1);
  const inBody = new Uint8Array(boxes.length);
  for (let i = 0; i < boxes.length; i++) {
    const box = boxes[i]!;
    const up = box.parent < 0 ? -1 : within[box.parent]!;
    within[i] = i === top ? 0 : up >= 0 ? Math.min(up + 1, 30) : -1;
    inBody[i] =
      /articleBody|(?:^|\s)text(?:\s|$)/.test(box.itemprop) || (box.parent >= 0 && inBody[box.parent]) ? 1 : 0;
  }
  const bestBox = scores.reduce((top1, v, i) => (v > scores[top1]! ? i : top1), 0);
  const { gap: bestGap, below: bestBelow } = gaps(boxes, bestBox);
  const h1 = blocks.find((b) => b.heading === 1);
  const h1Gap = h1 ? gaps(boxes, h1.box).gap : new Int16Array(boxes.length).fill(-1);
  const prose = blocks.filter(isProse);
  const ahead = new Int32Array(blocks.length + 1).fill(-1);
  for (let i = blocks.length - 1, next = -1; i >= 0; i--) {
    ahead[i] = next < 0 ? -1 : Math.min(50, next - i);
    if (isProse(blocks[i]!)) next = i;
  }
  let posts = 0;
  for (const g of groups.values())
    if (g.count >= 3 && g.units / g.count > 30 && g.linkUnits < 0.3 * g.units)
      posts = Math.max(posts, share(g.units, units));
  const lists = blocks.filter((b) => b.marker !== '');
  return {
    units,
    signatures,
    path,
    siblings: (box: Box) => groups.get(siblingKey(box)) ?? { count: 1, units: box.units, linkUnits: box.linkUnits },
    bestGap,
    bestBelow,
    h1Gap,
    ownScore: (box: number) => {
      const above = boxes[box]!.parent;
      return best > 0 ? Math.max(scores[box]!, above >= 0 ? scores[above]! : 0) / best : 0;
    },
    bestScore: (box: number) => (best > 0 ? inherited[box]! / best : 0),
    inTop: (box: number) => within[box]! >= 0,
    depthInTop: (box: number) => within[box]!,
    topShare: share(boxes[top]!.units, units),
    inBody: (box: number) => inBody[box] === 1,
    articles: boxes.filter((b) => b.tag === 'article').length,
    linkShare: share(root.linkUnits, units),
    proseShare: share(root.proseUnits, units),
    proseMean: prose.length > 0 ? prose.reduce((n, b) => n + b.units, 0) / prose.length : 0,
    posts,
    prices: blocks.filter((b) => b.units < 40 && /[$€£¥￥]\s?\d/.test(b.text)).length / Math.max(1, blocks.length),
    listShare: share(
      lists.reduce((n, b) => n + b.units, 0),
      units,
    ),
    nextProse: (i: number) => ahead[i]!,
    runLinks(i: number) {
      let [all, links] = [0, 0];
      for (let j = Math.max(0, i - 3); j <= Math.min(blocks.length - 1, i + 3); j++) {
        all += blocks[j]!.units;
        links += blocks[j]!.linkUnits;
      }
      return share(links, all);
    },
  };
}
