import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { sharedData } from '../shared.ts';
import type { SplitName } from '../../tokenizer/encode/index.ts';
import { asset } from '../../core/root.ts';

/** A shared test file, gunzipped, or null where it is absent. */
export function shared(path: string): Buffer | null {
  const file = sharedData(path);
  return file === null ? null : gunzipSync(readFileSync(file));
}

export interface GoldenEncoding extends Record<SplitName, number[]> {
  id: string;
  kind: string;
  text: string;
  split: Record<SplitName, string[]>;
}

/** Strings with their pre-tokens and ids under the three splits; empty where the data is absent. */
export const goldenEncodings = (): GoldenEncoding[] =>
  (shared('tokenizer/encodings.jsonl.gz')?.toString() ?? '')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as GoldenEncoding);

/** The ranks of npm `tiktoken` for a split. */
export const ranksFile = (split: SplitName): string =>
  asset(`node_modules/tiktoken/encoders/${split === 'gpt2' ? 'gpt2' : `${split}_base`}.json`);

/** Whole numbers below `n`, the same every time (mulberry32). */
export function randomNumbers(seed: number): (n: number) => number {
  let state = seed >>> 0;
  return (n) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * n);
  };
}

/** Characters on which the split patterns differ from each other and from a naive reading. */
const SINGLES =
  "aZsStTmdDrevlL'ſKſ’ \t\n\r/!.,-0٣Ⅷ²中文あǅʰªßÅé\u0085\ufeff\u00a0\u3000\u2028\u200d\u0301\u093f😀𝐀\u0000𐐷\u{e0041}";
const TRICKY = [...SINGLES, "'s", "'ll", "'RE", "'ſ", '  ', '\r\n', '\n\n', 'the', 'The', 'THE'];

/** A text of tricky characters. */
export const trickyText = (random: (n: number) => number, length: number): string =>
  Array.from({ length }, () => TRICKY[random(TRICKY.length)]!).join('');
