import { sha256 } from '../../core/hash.ts';
import { alikePairs, type NaturalPair } from './alike.ts';
import type { AlikePair } from './near.ts';
import { mainText, type Article, type Encoding, type Expected, type Kind, type PersonalValue } from './types.ts';

/** What is true of one URL. */
export interface PageTruth {
  path: string;
  kind: Kind;
  /** BCP 47, or null where there is no text. */
  language: string | null;
  expected: Expected;
  /** What is special about it, in words. */
  about: string | null;
  title: string | null;
  /** The main text: blocks parted by line feeds, without the title; null for lists and traps. */
  text: string | null;
  text_sha256: string | null;
  personal: PersonalValue[];
  encoding: Encoding | null;
}

/** Everything that is true of the site: what a crawl, extraction, filters, masking and deduplication should find. */
export interface Manifest {
  seed: number;
  pages: PageTruth[];
  /** Addresses that go on for ever; a crawl has to stop by itself. */
  endless: { path: string; reason: string }[];
  /** Exact copies: `b` is the copy. */
  duplicates: { a: string; b: string }[];
  /** Planted near-duplicates, true similarity of the main texts (5-token shingles). */
  near: AlikePair[];
  /** Pages that nobody planted and that are alike all the same, similarity 0.5 and more. */
  natural: NaturalPair[];
  /** Pages and values by kind. */
  counts: Record<string, number>;
}

const NATURAL_FROM = 0.5;

/** The truth about an article. */
export function articleTruth(article: Article, expected: Expected, about: string | null = null): PageTruth {
  const text = mainText(article);
  return {
    path: article.path,
    kind: article.kind,
    language: article.language,
    expected,
    about,
    title: article.title,
    text,
    text_sha256: sha256(text),
    personal: article.personal,
    encoding: article.encoding ?? null,
  };
}

/** The truth about a URL without a text of its own. */
export const bareTruth = (path: string, kind: Kind, expected: Expected, about: string | null): PageTruth => ({
  path,
  kind,
  language: null,
  expected,
  about,
  title: null,
  text: null,
  text_sha256: null,
  personal: [],
  encoding: null,
});

/** Joins the truths and counts what is alike by nature: under a second. */
export function manifestOf(parts: Omit<Manifest, 'natural' | 'counts'>): Manifest {
  const planted = new Set([...parts.duplicates, ...parts.near].map((p) => `${p.a}\n${p.b}`));
  const texts = parts.pages.flatMap((p) => (p.text === null ? [] : [{ path: p.path, text: p.text }]));
  const natural = alikePairs(texts, NATURAL_FROM).filter(
    (p) => !planted.has(`${p.a}\n${p.b}`) && !planted.has(`${p.b}\n${p.a}`),
  );
  const counts: Record<string, number> = {};
  const count = (name: string) => (counts[name] = (counts[name] ?? 0) + 1);
  for (const page of parts.pages) {
    count('pages');
    count(page.kind);
    for (const { type } of page.personal) count(type);
  }
  return { ...parts, natural, counts };
}
