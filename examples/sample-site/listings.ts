import { anchor, cookieBanner, escapeHtml, footerLinks, list, menu, sectionPath, type Link } from './parts.ts';
import { SECTIONS, type Article, type Section } from './types.ts';
import { wordsOf, type Words } from './words.ts';

/** Links on one page of a list. */
const PER_PAGE = 60;

/** A page that leads to others and has no text of its own. */
export interface Listing {
  path: string;
  language: string;
  title: string;
  html: string;
}

const STYLE = `body{margin:0;font:16px/1.6 system-ui,"Noto Sans CJK SC",sans-serif;color:#222}header,footer{background:#243447;color:#fff;padding:14px 28px}
header a,footer a{color:#bde;margin-right:16px}main{max-width:980px;margin:24px auto;padding:0 20px}ul.list{columns:2;column-gap:40px}.pages a{margin-right:8px}
.cards{display:grid;grid-template-columns:repeat(2,1fr);gap:20px}.cards div{border:1px solid #ddd;padding:16px}.cookie-banner{position:fixed;bottom:0;left:0;right:0;background:#222;color:#eee;padding:12px 24px}`;

const page = (w: Words, language: string, title: string, main: string): string => `<!DOCTYPE html>
<html lang="${language}">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>${escapeHtml(title)} - ${w.site}</title><style>${STYLE}</style></head>
<body><header><b>${w.site}</b> <small>${w.slogan}</small><nav>${menu(w).map(anchor).join('')}</nav></header>
<main><h1>${escapeHtml(title)}</h1>
${main}</main>
<footer>${footerLinks(w).map(anchor).join('')}<p>${w.rights}</p></footer>${cookieBanner(w)}</body></html>
`;

/** The lists of a section: `/wenku/`, `/wenku/page-2.html` and on. */
export function sectionListings(section: Section, articles: readonly Article[]): Listing[] {
  const language = section === 'wenku' ? 'zh-CN' : 'en';
  const w = wordsOf(language);
  const count = Math.max(1, Math.ceil(articles.length / PER_PAGE));
  const pathOf = (n: number) => (n === 1 ? sectionPath(section) : `/${section}/page-${n}.html`);
  return Array.from({ length: count }, (_, i) => {
    const links = articles.slice(i * PER_PAGE, (i + 1) * PER_PAGE).map((a) => ({ path: a.path, text: a.title }));
    const pages = Array.from({ length: count }, (_p, n) => ({ path: pathOf(n + 1), text: String(n + 1) }));
    const title = count > 1 && i > 0 ? `${w.sections[section]} (${i + 1})` : w.sections[section];
    const main = `${list(links).replace('<ul>', '<ul class="list">')}\n<p class="pages">${pages.map(anchor).join(' ')}</p>\n`;
    return { path: pathOf(i + 1), language, title, html: page(w, language, title, main) };
  });
}

/** The front page: a card a section, and the odd corners of the site. */
export function homePage(first: Record<Section, readonly Article[]>, corners: readonly Link[]): Listing {
  const w = wordsOf('en');
  const cards = SECTIONS.map((s) => {
    const links = first[s].slice(0, 6).map((a) => ({ path: a.path, text: a.title }));
    return `<div><h2><a href="${sectionPath(s)}">${w.sections[s]}</a></h2>${list(links)}</div>`;
  });
  const main = `<p>${w.slogan}.</p>\n<div class="cards">${cards.join('\n')}</div>\n<h2>More</h2>\n${list(corners)}\n`;
  return { path: '/', language: 'en', title: w.site, html: page(w, 'en', w.site, main) };
}

/** Small pages that every footer leads to. */
export function aboutPages(): Listing[] {
  const w = wordsOf('en');
  return [
    { path: '/about/privacy.html', title: w.privacy, text: 'No account is needed, and no name is asked for.' },
    { path: '/about/terms.html', title: w.terms, text: 'Read, copy and share what you find here.' },
  ].map(({ path, title, text }) => ({ path, title, language: 'en', html: page(w, 'en', title, `<p>${text}</p>\n`) }));
}

const URLS_A_SITEMAP = 800;

/** sitemap.xml as an index of sitemaps; `host` stands where a server knows its own name. */
export function sitemaps(paths: readonly string[], host: string): Map<string, string> {
  const files = new Map<string, string>();
  const xml = (root: string, item: string, locations: readonly string[]) =>
    `<?xml version="1.0" encoding="UTF-8"?>\n<${root} xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n${locations
      .map((l) => `<${item}><loc>http://${host}${escapeHtml(l)}</loc></${item}>`)
      .join('\n')}\n</${root}>\n`;
  for (let i = 0; i * URLS_A_SITEMAP < paths.length; i++)
    files.set(`/sitemap-${i + 1}.xml`, xml('urlset', 'url', paths.slice(i * URLS_A_SITEMAP, (i + 1) * URLS_A_SITEMAP)));
  files.set('/sitemap.xml', xml('sitemapindex', 'sitemap', [...files.keys()]));
  return files;
}

/** robots.txt of the site, with its forbidden part and its sitemap. */
export const robotsTxt = (host: string): string =>
  `User-agent: *\nDisallow: /private/\nDisallow: /search\nAllow: /\n\nUser-agent: GPTBot\nDisallow: /\n\nSitemap: http://${host}/sitemap.xml\n`;
