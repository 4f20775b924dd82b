import { textOf, attribute, type Tree } from './tree.ts';

/** Of one page's JSON-LD: objects by type, in document order. */
export type Thing = Record<string, unknown>;

const LARGEST = 1 << 20;
const DEEPEST = 20;
const MOST = 2_000;

/** The objects in the page's `application/ld+json` scripts; broken ones are mended where that is simple, else passed over. */
export function jsonLd(scripts: readonly Tree.Element[]): Thing[] {
  const things: Thing[] = [];
  for (const script of scripts) {
    if (!/ld\+json/i.test(attribute(script, 'type'))) continue;
    const first = script.childNodes[0];
    const text = first && 'value' in first ? first.value : textOf(script);
    if (text.length > LARGEST) continue;
    collect(parse(text), things);
  }
  return things;
}

function parse(text: string): unknown {
  const bare = text
    .replace(/^\s*(?:<!--|\/\*\s?<!\[CDATA\[\s?\*\/|\/\/<!\[CDATA\[|<!\[CDATA\[)/, '')
    .replace(/(?:-->|\/\*\s?\]\]>\s?\*\/|\/\/\]\]>|\]\]>)\s*$/, '');
  for (const mend of [
    (t: string) => t,
    (t: string) => t.replace(/[\u0000-\u001F]+/g, ' ').replace(/,\s?([}\]])/g, '$1'),
  ]) {
    try {
      return JSON.parse(mend(bare));
    } catch {
      continue;
    }
  }
  return null;
}

function collect(root: unknown, things: Thing[]): void {
  const stack: [unknown, number][] = [[root, 0]];
  for (let next = stack.pop(); next && things.length < MOST; next = stack.pop()) {
    const [value, depth] = next;
    if (typeof value !== 'object' || value === null || depth > DEEPEST) continue;
    if (Array.isArray(value)) {
      for (let i = Math.min(value.length, MOST) - 1; i >= 0; i--) stack.push([value[i], depth + 1]);
      continue;
    }
    if ('@type' in value) things.push(value as Thing);
    const inner = Object.values(value);
    for (let i = inner.length - 1; i >= 0; i--) stack.push([inner[i], depth + 1]);
  }
}

/** Does an object's `@type` match? */
export const isType = (thing: Thing, type: RegExp): boolean =>
  [thing['@type']].flat().some((t) => typeof t === 'string' && type.test(t));

/** Types that mean an article, those that Readability knows. */
export const ARTICLE =
  /^(?:https?:\/\/schema\.org\/)?(?:\w{0,20}Article|Report|SocialMediaPosting|BlogPosting|LiveBlogPosting|DiscussionForumPosting|APIReference)$/;

/** A string, the `name` or `@value` of an object, or those of a list joined; '' for anything else. */
export function nameOf(value: unknown, depth = 0): string {
  if (typeof value === 'string') return value.trim();
  if (depth > 3 || typeof value !== 'object' || value === null) return '';
  if (Array.isArray(value)) {
    const names = value.slice(0, 20).map((v) => nameOf(v, depth + 1));
    return [...new Set(names.filter((n) => n !== ''))].join(', ');
  }
  return nameOf((value as Thing)['name'] ?? (value as Thing)['@value'], depth + 1);
}
