import { blocksOf, isProse, place, type Block, type Blocks, type Box } from './blocks.ts';
import { FEATURES, featuresOf, type PageContext } from './features.ts';
import { blockModel, scoreBlocks, type BlockModel } from './model.ts';
import { addPriors } from './priors.ts';
import { parseHtml, textOf, type Tree } from './tree.ts';

/** Where the text came from: blocks of the page, the article in its JSON-LD, or nothing. */
export type TextSource = 'page' | 'json_ld' | 'none';

export interface MainText {
  text: string;
  source: TextSource;
}

/** Below this probability in every block, a page is all menu. */
const HOPELESS = 0.02;

/** The main text of a parsed page: blocks, list items and rows of tables each on a line of their own. */
export function mainText(
  document: Tree.Document,
  context: PageContext,
  model: BlockModel = blockModel(FEATURES),
): MainText {
  const page = blocksOf(document);
  const kept = chooseBlocks(page, context, oddsOf(page, context, model));
  const text = kept ? render(page, kept) : '';
  const stated = statedBody(context.articleBody);
  if (stated.length > 250 && stated.length > 3 * text.length) return { text: stated, source: 'json_ld' };
  return text === '' ? { text: '', source: 'none' } : { text, source: 'page' };
}

/** Which blocks are main text, by the log-odds of each; null where none is. */
export function chooseBlocks(page: Blocks, context: PageContext, odds: Float64Array): Uint8Array | null {
  if (page.blocks.length === 0) return null;
  addPriors(page, context, odds);
  evenRows(page, odds);
  const chance = odds.map((v) => 1 / (1 + Math.exp(-v)));
  if (chance.every((p) => p < HOPELESS)) return null;
  return dropCopies(page, fillHoles(page, bestSet(page.blocks, chance), chance));
}

/** Blocks whose numbers are measured; those of longer pages are judged by others of their kind. */
const MOST_BLOCKS = 20_000;

function oddsOf(page: Blocks, context: PageContext, model: BlockModel): Float64Array {
  const { blocks, boxes } = page;
  if (blocks.length <= MOST_BLOCKS) return scoreBlocks(model, featuresOf(page, context), FEATURES.length);
  const head = { ...page, blocks: blocks.slice(0, MOST_BLOCKS) };
  const known = scoreBlocks(model, featuresOf(head, context), FEATURES.length);
  const kinds = new Map<string, { sum: number; count: number }>();
  const kindOf = (b: Block) => `${boxes[Math.max(0, boxes[b.box]!.parent)]!.signature}>${boxes[b.box]!.signature}`;
  for (const [i, b] of head.blocks.entries()) {
    const kind = kinds.get(kindOf(b)) ?? { sum: 0, count: 0 };
    kinds.set(kindOf(b), { sum: kind.sum + known[i]!, count: kind.count + 1 });
  }
  return Float64Array.from(blocks, (b, i) => {
    if (i < MOST_BLOCKS) return known[i]!;
    const kind = kinds.get(kindOf(b));
    return kind ? kind.sum / kind.count : isProse(b) ? 1 : -2;
  });
}

const isCell = ({ boxes }: Blocks, b: Block): boolean =>
  b.row >= 0 && (b.tag === 'td' || b.tag === 'th') && boxes[b.box]!.blocks === 1;

/** The cells of a row stay or go together: a year beside a sentence is part of it. */
function evenRows(page: Blocks, odds: Float64Array): void {
  const rows = new Map<number, { sum: number; units: number }>();
  for (const [i, b] of page.blocks.entries()) {
    if (!isCell(page, b)) continue;
    const row = rows.get(b.row) ?? { sum: 0, units: 0 };
    rows.set(b.row, { sum: row.sum + odds[i]! * (b.units + 1), units: row.units + b.units + 1 });
  }
  for (const [i, b] of page.blocks.entries()) {
    const row = isCell(page, b) ? rows.get(b.row) : undefined;
    if (row) odds[i] = row.sum / row.units;
  }
}

/** The set of blocks whose expected F1 over words is highest: a prefix of the blocks in the order of their chances. */
function bestSet(blocks: readonly Block[], chance: Float64Array): Uint8Array {
  const order = Array.from(chance.keys()).toSorted((a, b) => chance[b]! - chance[a]! || a - b);
  const size = (i: number) => blocks[i]!.units || 0.5;
  let expected = 0;
  for (const i of order) expected += chance[i]! * size(i);
  let [right, taken, best, until] = [0, 0, -1, 0];
  for (const [n, i] of order.entries()) {
    right += chance[i]! * size(i);
    taken += size(i);
    const f1 = (2 * right) / (taken + expected);
    if (f1 > best) [best, until] = [f1, n + 1];
  }
  const kept = new Uint8Array(blocks.length);
  for (const i of order.slice(0, until)) kept[i] = 1;
  return kept;
}

const NEVER_FILLED = place('nav') | place('aside') | place('footer') | place('control') | place('form');

/** The box whose text a block is part of: its own where text stands in it directly, else the one around. */
const homeOf = (boxes: readonly Box[], b: Block): number =>
  ['div', 'td', 'section', 'article'].includes(b.tag) ? b.box : boxes[b.box]!.parent;

/** A short gap between kept neighbours in the same box is a line of a poem or a list, not a menu. */
function fillHoles({ blocks, boxes }: Blocks, kept: Uint8Array, chance: Float64Array): Uint8Array {
  const home = (i: number) => homeOf(boxes, blocks[i]!);
  for (let i = 1; i + 1 < blocks.length; i++) {
    if (kept[i]) continue;
    let end = i;
    while (end + 1 < blocks.length && !kept[end + 1] && end - i < 4) end++;
    const fits =
      kept[i - 1] === 1 &&
      kept[end + 1] === 1 &&
      home(i - 1) === home(end + 1) &&
      Array.from({ length: end - i + 1 }, (_, k) => i + k).every(
        (j) =>
          home(j) === home(i - 1) &&
          blocks[j]!.linkUnits * 2 <= blocks[j]!.units &&
          (blocks[j]!.places & NEVER_FILLED) === 0 &&
          chance[j]! > 0.1,
      );
    if (fits) kept.fill(1, i, end + 1);
    i = end;
  }
  return kept;
}

/** A long block that stands elsewhere in the text already is a copy for another screen, or a pull quote; a refrain is neither. */
function dropCopies({ blocks, boxes }: Blocks, kept: Uint8Array): Uint8Array {
  const seen = new Map<string, number>();
  for (const [i, b] of blocks.entries()) {
    if (!kept[i] || b.text.length < 50) continue;
    const before = seen.get(b.text);
    if (before === undefined) seen.set(b.text, homeOf(boxes, b));
    else if (before !== homeOf(boxes, b)) kept[i] = 0;
  }
  return kept;
}

/** The text of the kept blocks, in page order. */
export function render(page: Blocks, kept: Uint8Array): string {
  let text = '';
  let last: Block | undefined;
  for (const [i, b] of page.blocks.entries()) {
    if (!kept[i]) continue;
    const sameRow = last?.row === b.row && isCell(page, last) && isCell(page, b);
    if (last) text += sameRow ? '\t' : '\n';
    text += b.text;
    last = b;
  }
  return text;
}

/** The article of JSON-LD as plain text; some sites put HTML there. */
function statedBody(body: string): string {
  const plain = /<\/?[a-z][^>]{0,200}>|&[a-z]{2,8};/i.test(body)
    ? textOf(parseHtml(body.replace(/<\/(?:p|div|h\d|li)>|<br\s?\/?>/gi, '\n$&')).document)
    : body;
  return plain
    .split(/[\r\n]+/)
    .map((line) => line.replace(/\s+/g, ' ').trim())
    .filter((line) => line !== '')
    .join('\n');
}
