import { SECTIONS, type Article, type Block, type Section } from './types.ts';
import type { Words } from './words.ts';

/** A link with its text. */
export interface Link {
  path: string;
  text: string;
}

/** What a page shows beside its own text. */
export interface Around {
  previous: Link | null;
  next: Link | null;
  related: readonly Link[];
  popular: readonly Link[];
}

/** Text as it may stand in HTML. */
export const escapeHtml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

/** A link. */
export const anchor = ({ path, text }: Link): string => `<a href="${escapeHtml(path)}">${escapeHtml(text)}</a>`;

/** Links as a list. */
export const list = (links: readonly Link[], tag = 'ul'): string =>
  `<${tag}>${links.map((l) => `<li>${anchor(l)}</li>`).join('')}</${tag}>`;

/** Where a section begins. */
export const sectionPath = (section: Section): string => `/${section}/`;

/** The links of the menu. */
export const menu = (words: Words): Link[] => [
  { path: '/', text: words.home },
  ...SECTIONS.map((s) => ({ path: sectionPath(s), text: words.sections[s] })),
];

/** The links of the breadcrumbs. */
export const crumbs = (article: Article, words: Words): Link[] => [
  { path: '/', text: words.home },
  { path: sectionPath(article.section), text: words.sections[article.section] },
];

/** The cookie banner. */
export const cookieBanner = (words: Words): string =>
  `<div class="cookie-banner" role="dialog" aria-label="cookies"><p>${words.cookies}</p><button>${words.accept}</button> <button>${words.decline}</button></div>`;

/** The links of the footer. */
export const footerLinks = (words: Words): Link[] => [
  { path: '/about/privacy.html', text: words.privacy },
  { path: '/about/terms.html', text: words.terms },
  { path: '/calendar/2026/11/24', text: words.calendar },
];

/** Blocks as HTML; list items that follow each other stand in one list. */
export function blocksHtml(blocks: readonly Block[], paragraph = (text: string) => `<p>${text}</p>`): string {
  let html = '';
  let inList = false;
  for (const { tag, text } of blocks) {
    if ((tag === 'li') !== inList) html += tag === 'li' ? '<ol>\n' : '</ol>\n';
    inList = tag === 'li';
    const inner = escapeHtml(text);
    html += tag === 'p' ? `${paragraph(inner)}\n` : `<${tag}>${inner}</${tag}>\n`;
  }
  return inList ? `${html}</ol>\n` : html;
}

/** The head that all templates share; a charset is named unless the page leaves it to the reader to find out. */
export function head(article: Article, words: Words, style: string, more = ''): string {
  const { encoding } = article;
  const charset = encoding ? encoding.charset : 'utf-8';
  const meta = encoding && encoding.declared !== 'meta' ? '' : `<meta charset="${charset}">\n`;
  const robots = article.metaRobots ? `<meta name="robots" content="${article.metaRobots}">\n` : '';
  const title = `${escapeHtml(article.title)} - ${words.site}`;
  return `<!DOCTYPE html>
<html lang="${article.language}" dir="${article.direction}">
<head>
${meta}<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
${robots}<link rel="canonical" href="${escapeHtml(article.path)}">
<meta property="og:title" content="${escapeHtml(article.title)}">
${more}<style>${style}</style>
</head>
`;
}
