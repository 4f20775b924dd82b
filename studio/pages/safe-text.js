import { el } from './dom.js';

/** Characters that turn the writing direction or cannot be seen, by what a reader is shown in their place. */
const NAMES = new Map([
  [0x061c, ['ALM', 'Arabic letter mark']],
  [0x200b, ['ZWSP', 'zero width space']],
  [0x200e, ['LRM', 'left-to-right mark']],
  [0x200f, ['RLM', 'right-to-left mark']],
  [0x2028, ['LS', 'line separator']],
  [0x2029, ['PS', 'paragraph separator']],
  [0x202a, ['LRE', 'left-to-right embedding']],
  [0x202b, ['RLE', 'right-to-left embedding']],
  [0x202c, ['PDF', 'pop directional formatting']],
  [0x202d, ['LRO', 'left-to-right override']],
  [0x202e, ['RLO', 'right-to-left override']],
  [0x2060, ['WJ', 'word joiner']],
  [0x2066, ['LRI', 'left-to-right isolate']],
  [0x2067, ['RLI', 'right-to-left isolate']],
  [0x2068, ['FSI', 'first strong isolate']],
  [0x2069, ['PDI', 'pop directional isolate']],
  [0xfeff, ['BOM', 'byte order mark']],
]);

/** A run of one such character: C0 and C1 controls, the marks above, tag characters. */
const HIDDEN =
  /([\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|\udb40[\udc00-\udc7f])\1*/g;

/** Beyond so many the marks are plain text: a text of nothing else would be a million elements. */
const MOST_MARKS = 400;

/** A long text stands in blocks of about this length, of which the browser lays out those in view [UTF-16 units]. */
const BLOCK = 3000;

/**
 * A text of anybody's as a text: no markup, its direction shut in, hidden characters shown.
 * @param {string} text
 * @returns {HTMLElement}
 */
export function safeText(text) {
  const left = { marks: MOST_MARKS };
  const clean = text.replaceAll('\r\n', '\n');
  const blocks = cut(clean).map((part) => el('div', { dir: 'auto' }, ...pieces(part, left)));
  return el('bdi', { class: blocks.length > 1 ? 'safe long' : 'safe', dir: 'auto' }, ...blocks);
}

/**
 * Cuts a text behind line feeds, else spaces, else anywhere but within a character.
 * @param {string} text
 */
function cut(text) {
  const parts = [];
  for (let at = 0; at < text.length || at === 0;) {
    let end = Math.min(text.length, at + BLOCK);
    if (end < text.length) {
      const line = text.lastIndexOf('\n', end - 1);
      const space = text.lastIndexOf(' ', end - 1);
      if (line > at) end = line + 1;
      else if (space > at) end = space + 1;
      else if (/[\ud800-\udbff]/.test(text[end - 1] ?? '')) end--;
    }
    parts.push(text.slice(at, end));
    if (end === text.length) break;
    at = end;
  }
  return parts;
}

/**
 * @param {string} text
 * @param {{ marks: number }} left how many marks may be elements still
 */
function pieces(text, left) {
  /** @type {(Node | string)[]} */
  const found = [];
  let pending = '';
  let at = 0;
  for (const match of text.matchAll(HIDDEN)) {
    const one = match[1] ?? '';
    pending += text.slice(at, match.index);
    at = match.index + match[0].length;
    const [short, long] = describe(one);
    const times = match[0].length / one.length;
    const shown = times > 1 ? `${short}×${times}` : short;
    if (left.marks-- <= 0) pending += `⟦${shown}⟧`;
    else {
      found.push(pending, el('span', { class: 'mark', title: long, dir: 'ltr' }, shown));
      pending = '';
    }
  }
  found.push(pending + text.slice(at));
  return found;
}

/** @param {string} character */
function describe(character) {
  const code = /** @type {number} */ (character.codePointAt(0));
  const hex = code.toString(16).toUpperCase().padStart(4, '0');
  const [short, long] = NAMES.get(code) ?? [`U+${hex}`, 'control character'];
  return [short, `${long}, U+${hex}`];
}
