import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliDecompressSync } from 'node:zlib';
import { scoredWords } from './labels.ts';

/** The marked sets. */
export const SETS = ['scrapinghub', 'wceb', 'wcxb', 'zh'] as const;
export type SetName = (typeof SETS)[number];

export interface GoldPage {
  html: string;
  /** The gold standard; null: none. */
  text: string | null;
  url?: string;
  group?: string;
}

/** Pages of a set by id, and the digest of the file [16 hexadecimal digits of SHA-256]. */
export function goldPages(folder: string, set: SetName): { pages: Record<string, GoldPage>; digest: string } {
  const raw = readFileSync(join(folder, set, 'pages.json.br'));
  const pages = JSON.parse(brotliDecompressSync(raw).toString()) as Record<string, GoldPage>;
  return { pages, digest: createHash('sha256').update(raw).digest('hex').slice(0, 16) };
}

/** F1 over the multisets of words, every Han or kana character a word: the measure `word` of the shared scorer. */
export function wordF1(gold: string, predicted: string): number {
  const counts = new Map<string, number>();
  const goldWords = scoredWords(gold);
  const words = scoredWords(predicted);
  for (const w of goldWords) counts.set(w, (counts.get(w) ?? 0) + 1);
  let right = 0;
  for (const w of words) {
    const left = counts.get(w) ?? 0;
    if (left > 0) right++;
    counts.set(w, left - 1);
  }
  if (goldWords.length === 0) return words.length === 0 ? 1 : 0;
  return right === 0 ? 0 : (2 * right) / (goldWords.length + words.length);
}

/** Arithmetic mean. */
export const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
