import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { sharedData } from '../shared.ts';

export interface GoldenVerdict {
  keep: boolean | null;
  reason: string | null;
  lines?: Record<string, number>;
}

export interface GoldenText {
  id: string;
  lang: string;
  source: string;
  text: string;
  counts: Record<'spacy' | 'simple', { words: number; sentences: number }>;
  verdicts: Record<string, GoldenVerdict>;
  verdictsSimple: Record<string, GoldenVerdict>;
}

/** Texts with datatrove's verdicts, or null where they are not on this machine. */
export function goldenTexts(name: 'english' | 'other-languages'): GoldenText[] | null {
  return readLines<GoldenText>(`filters/${name}.jsonl.gz`);
}

/** The lines of a gzipped JSON lines file of the shared data, or null. */
export function readLines<T>(path: string): T[] | null {
  const file = sharedData(path);
  if (file === null) return null;
  return gunzipSync(readFileSync(file))
    .toString('utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T);
}
