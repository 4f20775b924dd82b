import { nearPartner, LEVELS, type AlikePair } from './near.ts';
import { plantPersonal } from './personal.ts';
import { randomFrom, type Random } from './random.ts';
import { gibberish, keywordSpam, toxic } from './trouble.ts';
import type { Article, Kind, Section } from './types.ts';

/** How much trouble is planted in each of the two languages. */
const PER_LANGUAGE = { pairsALevel: 2, duplicates: 8, personal: 40, valuesAPage: 3, gibberish: 6, spam: 6, toxic: 8 };

export interface Planted {
  /** Pages that are new: copies, partners, gibberish, spam. */
  added: Article[];
  near: AlikePair[];
  duplicates: { a: string; b: string }[];
}

/**
 * Plants trouble in the pages of one language. No page gets two kinds of it. Pages with personal data and abusive
 * paragraphs are changed in place; copies, partners, gibberish and spam are new pages at the end of their section.
 */
export function plant(pages: readonly Article[], seed: number, chinese: boolean): Planted {
  const random = randomFrom(seed, chinese ? 'plants zh' : 'plants en');
  const size = (a: Article) => a.blocks.reduce((n, b) => n + b.text.length, 0);
  const free = random.shuffle(
    pages.filter((a) => !a.encoding && size(a) > (chinese ? 700 : 3_000) && a.blocks.length >= 3),
  );
  const take = (n: number) => free.splice(0, n);
  const archive = archivePaths();
  const out: Planted = { added: [], near: [], duplicates: [] };
  for (const level of LEVELS) {
    for (const base of take(PER_LANGUAGE.pairsALevel)) {
      const { partner, pair } = nearPartner(base, archive(base.section), level, random);
      out.added.push(partner);
      out.near.push(pair);
    }
  }
  for (const [i, base] of take(PER_LANGUAGE.duplicates).entries()) {
    const section = i % 2 === 0 ? base.section : otherTemplate(base.section);
    const path = archive(section);
    out.added.push({ ...base, path, section, kind: 'duplicate' });
    out.duplicates.push({ a: base.path, b: path });
  }
  for (const page of take(PER_LANGUAGE.personal)) plantPersonal(page, PER_LANGUAGE.valuesAPage, random);
  for (const page of take(PER_LANGUAGE.toxic)) {
    page.blocks = toxic(page, random);
    page.kind = 'toxic';
  }
  for (let i = 0; i < PER_LANGUAGE.gibberish; i++)
    out.added.push(made('gibberish', gibberish(chinese, random), chinese, archive, random));
  for (let i = 0; i < PER_LANGUAGE.spam; i++)
    out.added.push(made('spam', keywordSpam(chinese, i, random), chinese, archive, random));
  return out;
}

/** `/wenku/archive/7.html` and so on. */
function archivePaths(): (section: Section) => string {
  const counts: Partial<Record<Section, number>> = {};
  return (section) => {
    counts[section] = (counts[section] ?? 0) + 1;
    return `/${section}/archive/${counts[section]}.html`;
  };
}

/** Every other copy stands in other markup, as on a print version or another site. */
const otherTemplate = (section: Section): Section =>
  ({ wenku: 'rights', speeches: 'book', book: 'speeches', rights: 'book' } as const)[section];

function made(
  kind: Kind,
  blocks: Article['blocks'],
  chinese: boolean,
  archive: (section: Section) => string,
  random: Random,
): Article {
  const section = chinese ? 'wenku' : random.pick(['book', 'speeches'] as const);
  return {
    path: archive(section),
    section,
    kind,
    language: chinese ? 'zh-CN' : 'en',
    direction: 'ltr',
    title: chinese ? '未分类文章' : 'Uncategorised',
    group: chinese ? '未分类' : 'Uncategorised',
    blocks,
    personal: [],
  };
}
