import { bit, conceptsOf } from './words.ts';
import { attribute, isElement, isText, type Tree } from './tree.ts';
import { tidy, tidyPre } from './white-space.ts';

const set = (words: string) => new Set(words.split(' '));

/** Tags that end the block before them and the one in them. */
const BOUNDARY = set(
  'address article aside blockquote body button caption center dd details dialog dir div dl dt fieldset figcaption figure footer form frameset h1 h2 h3 h4 h5 h6 header hgroup hr html label legend li main menu nav noscript ol optgroup option p pre search section select summary table tbody td textarea tfoot th thead tr ul video audio picture',
);
const NO_TEXT = set(
  'script style template svg math head iframe object embed applet canvas map audio video noframes frameset datalist meter progress area input img rt rp',
);

/** Where a block stands: one bit a tag (or role) among its ancestors. */
export const PLACES = [
  'article',
  'main',
  'aside',
  'nav',
  'header',
  'footer',
  'form',
  'figure',
  'table',
  'list',
  'li',
  'blockquote',
  'pre',
  'details',
  'noscript',
  'heading',
  'dl',
  'section',
  'p',
  'hidden',
  'control',
] as const;
export type Place = (typeof PLACES)[number];
/** The bit of a place. */
export const place = (name: Place): number => 1 << PLACES.indexOf(name);

const TAG_PLACE: Record<string, number> = {
  article: place('article'),
  main: place('main'),
  aside: place('aside'),
  nav: place('nav'),
  header: place('header'),
  footer: place('footer'),
  form: place('form'),
  figure: place('figure'),
  table: place('table'),
  ul: place('list'),
  ol: place('list'),
  menu: place('list'),
  li: place('li'),
  blockquote: place('blockquote'),
  pre: place('pre'),
  details: place('details'),
  noscript: place('noscript'),
  dl: place('dl'),
  section: place('section'),
  p: place('p'),
  h1: place('heading'),
  h2: place('heading'),
  h3: place('heading'),
  h4: place('heading'),
  h5: place('heading'),
  h6: place('heading'),
  button: place('control'),
  select: place('control'),
  option: place('control'),
  label: place('control'),
  textarea: place('control'),
  legend: place('control'),
};
const ROLE_PLACE: Record<string, number> = {
  article: place('article'),
  main: place('main'),
  navigation: place('nav'),
  menu: place('nav'),
  menubar: place('nav'),
  tablist: place('nav'),
  banner: place('header'),
  contentinfo: place('footer'),
  complementary: place('aside'),
  search: place('form'),
  dialog: place('form'),
  alertdialog: place('form'),
  button: place('control'),
  note: place('aside'),
};

/** An element that holds blocks. Sums are over all blocks below it. */
export interface Box {
  tag: string;
  /** Index of the enclosing box; -1 for the root. */
  parent: number;
  depth: number;
  /** Concepts of its own class and id, and of all boxes above it. */
  own: number;
  above: number;
  places: number;
  signature: string;
  units: number;
  linkUnits: number;
  /** Units in p, and in blocks that look like prose. */
  proseUnits: number;
  blocks: number;
  /** Its schema.org property. */
  itemprop: string;
}

/** A run of inline text between two block tags. */
export interface Block {
  text: string;
  /** Index into the boxes. */
  box: number;
  tag: string;
  places: number;
  /** Length [units]: a Han or kana character is 1, a word of other scripts 2. */
  units: number;
  linkUnits: number;
  links: number;
  /** Of the links: those to a place in the page itself. */
  hashLinks: number;
  /** 1 to 6, or 0. */
  heading: number;
  /** `- `, `3. ` at the first block of a list item, else ''. */
  marker: string;
  /** Row of a table, numbered over the page; -1 elsewhere. */
  row: number;
  /** Concepts of inline elements in it. */
  inline: number;
}

export interface Blocks {
  boxes: Box[];
  blocks: Block[];
  /** Length of all text in hidden elements [units]. */
  hiddenUnits: number;
}

const HIDDEN_CLASS =
  /(?:^|\s)(?:hidden|hide|sr-only|visually-hidden|visuallyhidden|screen-reader-text|invisible|d-none|display-none|is-hidden|u-hidden|assistive-text)(?:\s|$)/;
const HIDDEN_STYLE =
  /(?:display\s{0,4}:\s{0,4}none|visibility\s{0,4}:\s{0,4}hidden|opacity\s{0,4}:\s{0,4}0(?:\.0{1,3})?\s{0,4}(?:;|$|!)|font-size\s{0,4}:\s{0,4}0|(?:left|top|text-indent)\s{0,4}:\s{0,4}-\d{3,6})/;

function isHidden(element: Tree.Element): boolean {
  for (const { name, value } of element.attrs) {
    if (name === 'hidden') return value !== 'until-found';
    if (name === 'aria-hidden' && value === 'true') {
      // Tab panels and collapsed answers are closed until a click, and are content.
      const role = attribute(element, 'role');
      if (role !== 'tabpanel' && element.tagName !== 'details') return true;
    }
    if (name === 'style' && value.length < 4096 && HIDDEN_STYLE.test(value.toLowerCase())) return true;
    if (name === 'class' && value.length < 4096 && HIDDEN_CLASS.test(value)) return true;
  }
  return false;
}

const CJK = /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}]/gu;
const WORD = /[\p{L}\p{N}_]+/gu;

/** Longer texts are counted in pieces, so that their words are never held all at once [code units]. */
const PIECE = 1 << 14;

/** A length that is fair to all scripts: a Han or kana character counts 1, a word 2, a run of more than 24 letters a quarter of them. */
function unitsOf(text: string): number {
  let units = 0;
  for (let at = 0; at < text.length; at += PIECE) {
    const piece = text.length <= PIECE ? text : text.slice(at, at + PIECE);
    const cjk = piece.match(CJK)?.length ?? 0;
    units += cjk;
    const rest = cjk > 0 ? piece.replace(CJK, ' ') : piece;
    for (const word of rest.match(WORD) ?? []) units += word.length > 24 ? word.length / 4 : 2;
  }
  return units;
}

interface Inline {
  parts: string[];
  linkParts: string[];
  links: number;
  hashLinks: number;
  inline: number;
  breaks: number;
}

interface Open {
  node: Tree.Node;
  /** Next child. */
  at: number;
  box: number;
  link: boolean;
  pre: boolean;
  boundary: boolean;
}

/** Cuts the body of a page into blocks, in document order. Linear in the page. */
export function blocksOf(document: Tree.Document): Blocks {
  const boxes: Box[] = [
    {
      tag: '#root',
      parent: -1,
      depth: 0,
      own: 0,
      above: 0,
      places: 0,
      signature: '',
      units: 0,
      linkUnits: 0,
      proseUnits: 0,
      blocks: 0,
      itemprop: '',
    },
  ];
  const blocks: Block[] = [];
  const known = new Map<string, number>();
  const concepts = (name: string) => {
    let bits = known.get(name);
    if (bits === undefined) known.set(name, (bits = conceptsOf(name)));
    return bits;
  };
  const lists: { ordered: boolean; next: number }[] = [];
  let hiddenUnits = 0;
  let rows = 0;
  let row = -1;
  let marker = '';
  let line: Inline = { parts: [], linkParts: [], links: 0, hashLinks: 0, inline: 0, breaks: 0 };

  const flush = (box: number, pre: boolean) => {
    if (line.parts.length > 0) {
      const text = pre ? tidyPre(line.parts.join('')) : tidy(line.parts.join(''));
      if (text !== '') {
        const b = boxes[box]!;
        for (const piece of cutLines(text, pre)) {
          const units = unitsOf(piece);
          const linkUnits = line.links > 0 ? Math.min(units, unitsOf(tidy(line.linkParts.join(' ')))) : 0;
          blocks.push({
            text: piece,
            box,
            tag: b.tag,
            places: b.places,
            units,
            linkUnits,
            links: line.links,
            hashLinks: line.hashLinks,
            heading: /^h[1-6]$/.test(b.tag) ? Number(b.tag[1]) : 0,
            marker,
            row,
            inline: line.inline,
          });
          marker = '';
        }
      }
      line = { parts: [], linkParts: [], links: 0, hashLinks: 0, inline: 0, breaks: 0 };
    } else if (line.links > 0) line = { parts: [], linkParts: [], links: 0, hashLinks: 0, inline: 0, breaks: 0 };
  };

  const stack: Open[] = [{ node: document, at: 0, box: 0, link: false, pre: false, boundary: true }];
  while (stack.length > 0) {
    const open = stack[stack.length - 1]!;
    const child = (open.node as Tree.ParentNode).childNodes[open.at++];
    if (child === undefined) {
      stack.pop();
      if (open.boundary) {
        flush(open.box, open.pre);
        const tag = isElement(open.node) ? open.node.tagName : '';
        if (tag === 'ul' || tag === 'ol' || tag === 'menu') lists.pop();
        if (tag === 'tr') row = -1;
        if (tag === 'li') marker = '';
      }
      continue;
    }
    if (isText(child)) {
      line.parts.push(child.value);
      if (open.link) line.linkParts.push(child.value);
      continue;
    }
    if (!isElement(child)) continue;
    const tag = child.tagName;
    if (NO_TEXT.has(tag)) continue;
    if (tag === 'br' || tag === 'wbr') {
      if (tag === 'br') line.parts.push('\u2028');
      continue;
    }
    if (isHidden(child) && tag !== 'html' && tag !== 'body') {
      hiddenUnits += roughUnits(child);
      continue;
    }
    const name = `${attribute(child, 'class')} ${attribute(child, 'id')}`;
    const own = name === ' ' || tag === 'body' || tag === 'html' ? 0 : concepts(name);
    const boundary = BOUNDARY.has(tag) || (tag.includes('-') && hasBlockChild(child));
    if (!boundary) {
      line.inline |= own;
      const link = tag === 'a' && attribute(child, 'href') !== '';
      if (link) {
        line.links++;
        if (attribute(child, 'href').startsWith('#')) line.hashLinks++;
        line.linkParts.push(' ');
      }
      if (tag === 'img' || tag === 'svg') continue;
      stack.push({ node: child, at: 0, box: open.box, link: open.link || link, pre: open.pre, boundary: false });
      continue;
    }
    flush(open.box, open.pre);
    const outer = boxes[open.box]!;
    const role = attribute(child, 'role').toLowerCase();
    const presentation = tag === 'table' && (role === 'presentation' || role === 'none');
    boxes.push({
      tag,
      parent: open.box,
      depth: outer.depth + 1,
      own,
      above: outer.above | outer.own,
      places: outer.places | (presentation ? 0 : (TAG_PLACE[tag] ?? 0)) | (ROLE_PLACE[role] ?? 0),
      signature: `${tag}.${attribute(child, 'class').slice(0, 80)}`,
      units: 0,
      linkUnits: 0,
      proseUnits: 0,
      blocks: 0,
      itemprop: attribute(child, 'itemprop'),
    });
    if (tag === 'ul' || tag === 'ol' || tag === 'menu') {
      const start = Number.parseInt(attribute(child, 'start') || '1', 10);
      lists.push({ ordered: tag === 'ol', next: Number.isFinite(start) ? start : 1 });
    }
    if (tag === 'li') {
      const list = lists.at(-1);
      marker = list?.ordered ? `${list.next++}. ` : '- ';
    }
    if (tag === 'tr') row = rows++;
    stack.push({
      node: child,
      at: 0,
      box: boxes.length - 1,
      link: open.link,
      pre: open.pre || tag === 'pre' || tag === 'textarea',
      boundary: true,
    });
  }
  sumUp(boxes, blocks);
  return { boxes, blocks, hiddenUnits };
}

function hasBlockChild(element: Tree.Element): boolean {
  return element.childNodes.some((c) => isElement(c) && BOUNDARY.has(c.tagName));
}

function roughUnits(root: Tree.Element): number {
  const stack: Tree.Node[] = [root];
  let units = 0;
  for (let node = stack.pop(); node; node = stack.pop()) {
    if (isText(node)) units += node.value.length / 4;
    else if (isElement(node) && !NO_TEXT.has(node.tagName)) for (const c of node.childNodes) stack.push(c);
  }
  return units;
}

/** Two `<br>` are a border; many lines of some length each, a page that uses them for paragraphs. */
function cutLines(text: string, pre: boolean): string[] {
  if (pre) return text.split(/\n[ \t]*\n\s*/).filter((t) => t.trim() !== '');
  if (!text.includes('\u2028')) return [text];
  return text
    .split(/\u2028(?:\u2028)+/)
    .flatMap((part) => {
      const lines = part.split('\u2028').filter((l) => l.trim() !== '');
      const mean = unitsOf(part) / Math.max(1, lines.length);
      return lines.length > 3 && mean > 14 ? lines : [lines.join('\n')];
    })
    .filter((t) => t !== '');
}

/** Sums of blocks over their boxes; a box comes after its parent, so one pass backwards is enough. */
function sumUp(boxes: Box[], blocks: readonly Block[]): void {
  for (const b of blocks) {
    const box = boxes[b.box]!;
    box.units += b.units;
    box.linkUnits += b.linkUnits;
    box.blocks++;
    if (isProse(b)) box.proseUnits += b.units;
  }
  for (let i = boxes.length - 1; i > 0; i--) {
    const { parent, units, linkUnits, proseUnits, blocks: n } = boxes[i]!;
    const to = boxes[parent]!;
    to.units += units;
    to.linkUnits += linkUnits;
    to.proseUnits += proseUnits;
    to.blocks += n;
  }
}

/** Places that hold no main text. */
export const BAD_PLACE = place('nav') | place('aside') | place('footer') | place('control');
const BAD_NAME =
  bit('nav') | bit('footer') | bit('cookie') | bit('ad') | bit('share') | bit('breadcrumb') | bit('related');
const SENTENCE_END = /[.!?。！？…]["'”’）)」』]?$/;

/** Text that reads like sentences: a first look, for the sums. */
export const isProse = (b: Block): boolean =>
  b.units >= 20 &&
  b.linkUnits < b.units / 4 &&
  (b.units > 60 || SENTENCE_END.test(b.text)) &&
  (b.places & BAD_PLACE) === 0 &&
  (b.inline & BAD_NAME) === 0;
