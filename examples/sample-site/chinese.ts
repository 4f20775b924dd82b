import { stretches, textLines } from './sources.ts';
import type { Article } from './types.ts';

/** Characters of a page. */
const PAGE = 820;

const page = { section: 'wenku' as const, kind: 'chapter' as const, language: 'zh-CN', direction: 'ltr' as const };

const BOOKS = [
  { name: '红楼梦', slug: 'hongloumeng' },
  { name: '三国演义', slug: 'sanguoyanyi' },
];

const HEADING = /^第[一二三四五六七八九十百零]{1,5}回[\s　]/;

/** The chapters of two novels, cut into pages. */
export function chineseNovelPages(): Article[] {
  const pages: Article[] = [];
  let book = BOOKS[0]!;
  let chapter = 0;
  let title = '';
  let held: string[] = [];
  const close = () => {
    for (const [i, part] of stretches(held, PAGE).entries())
      pages.push({
        ...page,
        path: `/wenku/${book.slug}/hui-${chapter}/${i + 1}.html`,
        title: `${title}（${i + 1}）`,
        group: book.name,
        personal: [],
        blocks: part.map((text) => ({ tag: 'p', text })),
      });
    held = [];
  };
  for (const line of textLines('chinese-novels.txt.gz')) {
    const start = BOOKS.find((b) => line.length < 20 && line.startsWith(`《${b.name}》`));
    if (start) {
      close();
      [book, chapter] = [start, 0];
    } else if (HEADING.test(line) && line.length < 40) {
      close();
      chapter++;
      title = line.replace(/[\s　]+/g, ' ');
    } else if (chapter > 0) held.push(line.replaceAll('．', '。'));
  }
  close();
  return pages;
}

/** 狂人日记, a few sections a page. */
export function chineseModernPages(): Article[] {
  const [title = '', ...lines] = textLines('chinese-modern.txt.gz');
  return stretches(
    lines.filter((l) => !/^[一二三四五六七八九十]{1,3}$/.test(l)),
    PAGE,
  ).map((part, i) => ({
    ...page,
    path: `/wenku/kuangrenriji/${i + 1}.html`,
    title: `${title}（${i + 1}）`,
    group: title,
    personal: [],
    blocks: part.map((text) => ({ tag: 'p', text: text.replace(/\s+/g, ' ') })),
  }));
}
