import {
  anchor,
  blocksHtml,
  cookieBanner,
  crumbs,
  escapeHtml,
  footerLinks,
  head,
  list,
  menu,
  type Around,
} from './parts.ts';
import type { Article, Section } from './types.ts';
import { wordsOf } from './words.ts';

const BANNER =
  '.cookie-banner{position:fixed;bottom:0;left:0;right:0;background:#222;color:#eee;padding:12px 24px;font:14px sans-serif}';

const RED_CHAMBER = `body{margin:0;background:#f5f0e6;color:#333;font:16px/1.9 "Noto Serif CJK SC",serif}.top{background:#8c2f24;color:#fff}
.top a{color:#fff;margin:0 12px;text-decoration:none}.wrap{max-width:1080px;margin:auto;display:flex;gap:24px}.content{flex:1;background:#fffdf7;padding:24px 40px}
.content p{text-indent:2em}.side{width:240px;font-size:14px}.path{font-size:13px;color:#888;padding:10px 0}.foot{text-align:center;font-size:12px;color:#999;padding:30px}${BANNER}`;

/** A Chinese library: divs with classes, chapter box, hot list, filing line. */
function wenku(article: Article, around: Around): string {
  const w = wordsOf(article.language);
  const path = crumbs(article, w).map(anchor).join(' &gt; ');
  const turn = [around.previous, { path: '/wenku/', text: w.contents }, around.next]
    .map((l) => (l ? anchor(l) : ''))
    .join(' | ');
  return `${head(article, w, RED_CHAMBER)}<body>
<div class="top"><div class="wrap"><strong>${w.site}</strong><span>${menu(w).map(anchor).join('')}</span><form action="/search"><input name="q" placeholder="${w.search}"></form></div></div>
<div class="wrap path">${path} &gt; ${escapeHtml(article.group)}</div>
<div class="wrap">
<div class="content">
<h1>${escapeHtml(article.title)}</h1>
<div class="info">作品：${escapeHtml(article.group)}　字数：${article.blocks.reduce((n, b) => n + b.text.length, 0)}　<a href="#">加入书签</a>　<a href="#">手机阅读</a></div>
<div id="chaptercontent">
${blocksHtml(article.blocks)}</div>
<div class="turn">${turn}</div>
</div>
<div class="side"><h3>${w.popular}</h3>${list(around.popular, 'ol')}<h3>${w.related}</h3>${list(around.related)}</div>
</div>
<div class="foot">${footerLinks(w).map(anchor).join(' | ')}<br>${w.rights}<br>京ICP备00000000号-1　京公网安备 00000000000000号</div>
${cookieBanner(w)}
</body></html>
`;
}

const NEWS = `body{margin:0;font:17px/1.6 Georgia,serif;color:#222}header,footer{background:#0b2545;color:#fff;padding:14px 32px}header a,footer a{color:#cfe;margin-right:18px}
main{max-width:1100px;margin:24px auto;display:grid;grid-template-columns:1fr 280px;gap:40px}h1{font-size:34px;line-height:1.2}.byline{color:#666;font:14px sans-serif}
aside{font:14px/1.5 sans-serif}.card{border:1px solid #ddd;padding:12px;margin-bottom:16px}.share a{margin-right:10px}nav.crumbs{font:13px sans-serif;padding:8px 32px}${BANNER}`;

/** A magazine: article, byline, share bar, cards, newsletter. */
function speeches(article: Article, around: Around): string {
  const w = wordsOf(article.language);
  const year = /\d{4}/.exec(article.title)?.[0] ?? '';
  const more = `<meta name="author" content="${escapeHtml(article.group)}">\n`;
  return `${head(article, w, NEWS, more)}<body>
<header><b>${w.site}</b> <small>${w.slogan}</small><nav>${menu(w).map(anchor).join(' ')}</nav></header>
<nav class="crumbs" aria-label="breadcrumb">${crumbs(article, w).map(anchor).join(' › ')} › ${escapeHtml(article.group)}</nav>
<main>
<article>
<header style="background:none;color:inherit;padding:0"><h1>${escapeHtml(article.title)}</h1><p class="byline">By ${escapeHtml(article.group)} · ${year} · 4 min read</p></header>
<div class="share">${w.share}: <a href="#">Facebook</a><a href="#">X</a><a href="#">E-mail</a></div>
<div class="entry-content">
${blocksHtml(article.blocks)}</div>
<section class="related"><h2>${w.related}</h2>${list(around.related)}</section>
</article>
<aside><div class="card"><h3>${w.popular}</h3>${list(around.popular, 'ol')}</div><div class="card"><p>${w.newsletter}</p><form><input type="email" placeholder="you@example.com"><button>${w.subscribe}</button></form></div></aside>
</main>
<footer>${footerLinks(w).map(anchor).join(' ')}<p>${w.rights}</p></footer>
${cookieBanner(w)}
</body></html>
`;
}

const OLD = `body{background:#fff;color:#000;font:16px/1.5 "Times New Roman",serif;margin:8px}td{vertical-align:top;padding:8px}.nav{background:#eee;width:190px;font:13px Verdana,sans-serif}
a{color:#00c}h2{border-bottom:1px solid #999}hr{border:0;border-top:1px solid #999}${BANNER}`;

/** A page of the nineties: a layout table, line breaks, a list of links at the left. */
function book(article: Article, around: Around): string {
  const w = wordsOf(article.language);
  const turn = [around.previous, around.next]
    .map((l, i) => (l ? `[<a href="${l.path}">${i ? w.next : w.previous}</a>]` : ''))
    .join(' ');
  return `${head(article, w, OLD)}<body>
<table width="100%"><tr><td colspan="2" bgcolor="#336699"><font color="#ffffff" size="5">${w.site}</font></td></tr>
<tr><td class="nav"><b>${w.sections.book}</b>${list(menu(w))}<hr><b>${w.contents}</b>${list(around.popular)}<hr>${list(footerLinks(w))}</td>
<td><small>${crumbs(article, w).map(anchor).join(' : ')} : ${escapeHtml(article.group)}</small>
<h1>${escapeHtml(article.title)}</h1>
${blocksHtml(article.blocks)}<hr><center>${turn}</center>
<p><b>${w.related}:</b></p>${list(around.related)}</td></tr>
<tr><td colspan="2" align="center"><small>${w.rights}</small></td></tr></table>
${cookieBanner(w)}
</body></html>
`;
}

const LAW = `body{margin:0;font:16px/1.7 system-ui,"Noto Sans",sans-serif;background:#fafafa}.bar{display:flex;gap:20px;background:#fff;border-bottom:3px solid #1a7f5a;padding:14px 28px}
.bar a{color:#1a7f5a;text-decoration:none}.doc{max-width:820px;margin:28px auto;background:#fff;padding:28px 48px;box-shadow:0 1px 4px #0002}.doc h2{font-size:18px;margin-top:28px}
.langs{max-width:820px;margin:auto;font-size:14px}.langs li{display:inline-block;margin-right:14px}.end{padding:24px;text-align:center;color:#777;font-size:13px}${BANNER}`;

/** A document site: sections with headings, a language switch, right to left where the language is. */
function rights(article: Article, around: Around): string {
  const w = wordsOf(article.language);
  return `${head(article, w, LAW)}<body>
<div class="bar" role="navigation"><strong>${w.site}</strong>${menu(w).map(anchor).join('')}</div>
<div class="langs" role="navigation"><p>${crumbs(article, w).map(anchor).join(' / ')} / ${escapeHtml(article.group)}</p>${list(around.popular)}</div>
<main class="doc" id="main">
<h1>${escapeHtml(article.title)}</h1>
${blocksHtml(article.blocks)}</main>
<div class="langs"><h3>${w.related}</h3>${list(around.related)}</div>
<div class="end" role="contentinfo">${footerLinks(w).map(anchor).join(' · ')}<br>${w.rights}</div>
${cookieBanner(w)}
</body></html>
`;
}

const TEMPLATES: Record<Section, (article: Article, around: Around) => string> = { wenku, speeches, book, rights };

/** A page of the site as HTML: its text in the markup of its section. */
export const renderArticle = (article: Article, around: Around): string => TEMPLATES[article.section](article, around);
