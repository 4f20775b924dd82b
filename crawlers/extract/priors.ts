import { isProse, type Block, type Blocks } from './blocks.ts';
import { cleanContainer } from './containers.ts';
import type { PageContext } from './features.ts';
import { announcesMore } from './text-numbers.ts';
import { bit } from './words.ts';

const COMMENT = bit('comment');

/** Log-odds that a page takes from its blocks when it says that it is an article: one text, in one place. */
const ARTICLE = { everywhere: -0.5, elsewhere: -1, unlikely: -1 };

/**
 * What is known of a page before its blocks are looked at, added to their log-odds. A page that states that it is an
 * article has its text in one container, and not under names such as sidebar or related. Readers' comments that follow an
 * article are not its text; where nothing comes before them (a forum) they are. Chosen on whole sets in cross-validation.
 */
export function addPriors(page: Blocks, context: PageContext, odds: Float64Array): void {
  leaveComments(page, context, odds);
  leaveLinkLines(page, odds);
  leaveAnnouncedLinks(page, odds);
  leaveBylines(page, odds);
  if (!context.isArticle) return;
  const { gap, share, unlikely } = cleanContainer(page);
  for (const [i, b] of page.blocks.entries()) {
    odds[i]! += ARTICLE.everywhere;
    if (share > 0.5 && gap[b.box]! >= 1) odds[i]! += ARTICLE.elsewhere;
    if (unlikely[b.box]) odds[i]! += ARTICLE.unlikely;
  }
}

function leaveComments({ blocks, boxes }: Blocks, context: PageContext, odds: Float64Array): void {
  const inside = (b: Block) => ((boxes[b.box]!.own | boxes[b.box]!.above | b.inline) & COMMENT) !== 0;
  const first = blocks.findIndex((b) => isProse(b) && inside(b));
  if (first < 0) return;
  const before = blocks.slice(0, first).reduce((n, b) => n + (isProse(b) ? b.units : 0), 0);
  if (!(context.isArticle && before >= 60) && !(context.modern >= 2 && before >= 400)) return;
  for (const [i, b] of blocks.entries()) if (inside(b)) odds[i]! -= 4;
}

const SEPARATOR = /[|｜›»·•]|\s\/\s/;

/** `Previous | Contents | Next`, and the path of links above the heading: nobody reads them as text. */
function leaveLinkLines({ blocks }: Blocks, odds: Float64Array): void {
  const title = blocks.findIndex((b) => b.heading === 1);
  for (const [i, b] of blocks.entries()) {
    if (b.links < 2) continue;
    const line = b.linkUnits >= 0.85 * b.units && SEPARATOR.test(b.text);
    const path = b.linkUnits >= 0.5 * b.units && b.units < 60 && i < title;
    if (line || path) odds[i]! -= 3;
  }
}

/** "You may also like" and the links under it. */
function leaveAnnouncedLinks({ blocks }: Blocks, odds: Float64Array): void {
  for (let i = 0; i < blocks.length; i++) {
    const b = blocks[i]!;
    if (b.links > 0 || b.units > 20 || !announcesMore(b)) continue;
    let end = i + 1;
    while (end < blocks.length && blocks[end]!.links > 0 && blocks[end]!.linkUnits >= 0.9 * blocks[end]!.units) end++;
    if (end === i + 1) continue;
    for (let j = i; j < end; j++) odds[j]! -= 3;
    i = end - 1;
  }
}

/** `By Ann Lee · 4 min read`, and short lines that are named after the author: metadata has them. */
function leaveBylines({ blocks, boxes }: Blocks, odds: Float64Array): void {
  for (const [i, b] of blocks.entries()) {
    if (b.units >= 40) continue;
    const box = boxes[b.box]!;
    if (box.blocks === 1 && ((box.own | b.inline) & bit('author')) !== 0) odds[i]! -= 2;
    if (/\b\d{1,3}.?min(?:ute)?s?.read\b/i.test(b.text)) odds[i]! -= 3;
  }
}
