import { decode, type Decoded } from './decode.ts';
import { mainText } from './main-text.ts';
import { contextOf, metadataOf, type PageHints } from './metadata.ts';
import { LIMITS, parseHtml, type Limits } from './tree.ts';
import { trimEnds, trimLineEnds } from './white-space.ts';

export interface ExtractHints extends PageHints {
  /** Media type as the server said it, without parameters. */
  mediaType?: string | null | undefined;
  /** Charset as the server said it. */
  charset?: string | null | undefined;
  limits?: Limits | undefined;
}

/** A page's text and what the page says of itself. */
export interface Extraction {
  /** Main text, well-formed; '' where `reason` is set. */
  text: string;
  title: string | null;
  author: string | null;
  /** ISO 8601. */
  published: string | null;
  /** BCP 47, as stated. */
  language: string | null;
  licence: string | null;
  canonical: string | null;
  /** What the page or server asks not to be done: noindex, noai, notrain … */
  optOuts: string[];
  /** Other fields as strings: site, description, modified, kind, encoding … */
  metadata: Record<string, string>;
  /** Why there is no text: no_text or undecodable. */
  reason?: 'no_text' | 'undecodable';
}

const NOTHING: Omit<Extraction, 'metadata' | 'optOuts'> = {
  text: '',
  title: null,
  author: null,
  published: null,
  language: null,
  licence: null,
  canonical: null,
};

/** Bytes (or decoded text) of an HTML page or a plain text → main text and metadata. Never throws, whatever the input. */
export function extract(input: Uint8Array | string, hints: ExtractHints = {}): Extraction {
  const decoded: Decoded | null = typeof input === 'string' ? null : decode(input, hints.charset);
  const html = decoded?.text ?? (input as string);
  const about: Record<string, string> = {};
  if (decoded) about['encoding'] = decoded.encoding;
  if (decoded?.overruled) about['encoding_stated'] = decoded.overruled;
  if (binary(html) || (decoded && decoded.replacements > 20 && decoded.replacements * 10 > html.length)) {
    return { ...NOTHING, optOuts: [], metadata: about, reason: 'undecodable' };
  }
  if (hints.mediaType === 'text/plain') return { ...NOTHING, ...plainText(html, hints), metadata: about };
  const { document, cut } = parseHtml(html, hints.limits ?? LIMITS);
  if (cut) about['cut'] = cut;
  const meta = metadataOf(document, hints);
  const { text, source } = mainText(document, contextOf(meta));
  if (source === 'json_ld') about['text_source'] = source;
  for (const name of ['site', 'description', 'modified', 'kind'] as const) if (meta[name]) about[name] = meta[name];
  const { title, author, published, language, licence, canonical, optOuts } = meta;
  const answer: Extraction = {
    text: text.toWellFormed(),
    title,
    author,
    published,
    language,
    licence,
    canonical,
    optOuts,
    metadata: about,
  };
  return text === '' ? { ...answer, reason: 'no_text' } : answer;
}

/** A plain text as it is: line ends made \n, control characters and a byte order mark taken out. */
function plainText(raw: string, hints: ExtractHints): Pick<Extraction, 'text' | 'optOuts' | 'reason'> {
  const lines = raw.replace(/\r\n?/g, '\n').replace(/[\u0000-\u0008\u000B\u000C\u000E-\u001F\u007F\uFEFF]/g, '');
  const text = trimEnds(trimLineEnds(lines)).toWellFormed();
  const { optOuts } = metadataOf(parseHtml('').document, hints);
  return text === '' ? { text, optOuts, reason: 'no_text' } : { text, optOuts };
}

/** Control characters in the beginning that no text has: an image, an archive, a font. */
function binary(text: string): boolean {
  const head = text.slice(0, 2048);
  return (head.match(/[\u0000-\u0008\u000E-\u001A]/g)?.length ?? 0) > head.length / 20 + 2;
}
