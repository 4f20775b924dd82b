import { defaultTreeAdapter, Parser, type DefaultTreeAdapterMap, type DefaultTreeAdapterTypes as Tree } from 'parse5';

export type { Tree };

/** What a page may cost. */
export interface Limits {
  /** Decoded text that is looked at [UTF-16 code units]; the rest is cut. */
  characters: number;
  /** Elements and texts; parsing ends there. */
  nodes: number;
  /** Open elements; deeper ones are not built, their text is lost. */
  depth: number;
}

/** Enough for a novel on one page. */
export const LIMITS: Limits = { characters: 20 << 20, nodes: 600_000, depth: 25_000 };

export interface Page {
  document: Tree.Document;
  /** Why not all of the input is in the tree. */
  cut: 'too_long' | 'too_many_nodes' | 'too_deep' | null;
}

class Stop extends Error {}

/**
 * HTML → tree, as a browser builds it with scripts off (so that `noscript` has elements). Never throws; a page beyond
 * the limits gives the tree so far. Input is handed over in pieces, so that a hostile page stops early.
 */
export function parseHtml(html: string, limits: Limits = LIMITS): Page {
  let cut: Page['cut'] = html.length > limits.characters ? 'too_long' : null;
  let nodes = 0;
  const stop = (why: NonNullable<Page['cut']>): never => {
    cut = why;
    throw new Stop(why);
  };
  const adapter: typeof defaultTreeAdapter = {
    ...defaultTreeAdapter,
    createElement(tag, namespace, attributes) {
      if (++nodes > limits.nodes) stop('too_many_nodes');
      return defaultTreeAdapter.createElement(tag, namespace, attributes);
    },
    insertText(parent, text) {
      // The parser hands over words and spaces apart; they join the text that is there.
      if (parent.childNodes.at(-1)?.nodeName !== '#text' && ++nodes > limits.nodes) stop('too_many_nodes');
      defaultTreeAdapter.insertText(parent, text);
    },
  };
  const parser = new Parser<DefaultTreeAdapterMap>({ treeAdapter: adapter, scriptingEnabled: false });
  const piece = 1 << 18;
  const end = Math.min(html.length, limits.characters);
  try {
    for (let at = 0; at < end || at === 0; at += piece) {
      parser.tokenizer.write(html.slice(at, Math.min(at + piece, end)), at + piece >= end);
      if (parser.openElements.stackTop > limits.depth) stop('too_deep');
    }
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
  }
  return { document: parser.document, cut };
}

/** Is it an element? */
export const isElement = (node: Tree.Node): node is Tree.Element => 'tagName' in node;
/** Is it a text? */
export const isText = (node: Tree.Node): node is Tree.TextNode => node.nodeName === '#text';

/** An attribute's value, its first 4,096 code units; '' where there is none. */
export function attribute(element: Tree.Element, name: string): string {
  for (const a of element.attrs) if (a.name === name) return a.value.length > 4096 ? a.value.slice(0, 4096) : a.value;
  return '';
}

/** All text below a node, in order, without scripts and styles; at most `limit` code units. */
export function textOf(root: Tree.Node, limit = Infinity): string {
  const stack: Tree.Node[] = [root];
  let text = '';
  for (let node = stack.pop(); node && text.length < limit; node = stack.pop()) {
    if (isText(node)) text += node.value;
    else if ('childNodes' in node && node.nodeName !== 'script' && node.nodeName !== 'style') {
      for (let i = node.childNodes.length - 1; i >= 0; i--) stack.push(node.childNodes[i]!);
    }
  }
  return text.length > limit ? text.slice(0, limit) : text;
}

/** Every element below a node, in document order. */
export function* elementsOf(root: Tree.ParentNode): Generator<Tree.Element> {
  const stack: Tree.Node[] = root.childNodes.toReversed();
  for (let node = stack.pop(); node; node = stack.pop()) {
    if (!isElement(node)) continue;
    yield node;
    for (let i = node.childNodes.length - 1; i >= 0; i--) stack.push(node.childNodes[i]!);
  }
}
