import { overlap, shingles, type Overlap } from './jaccard.ts';

export interface NaturalPair extends Overlap {
  a: string;
  b: string;
  jaccard: number;
}

/** One shingle in so many is looked at to find pairs that may be alike; those are then counted exactly. */
const SAMPLE = 16;

/** All pairs of texts whose Jaccard similarity is at least `level`, exactly counted, in order of their paths. */
export function alikePairs(texts: readonly { path: string; text: string }[], level: number): NaturalPair[] {
  const sets = texts.map(({ text }) => shingles(text));
  const sampled = sets.map((set) => [...set].filter((s) => hash(s) % SAMPLE === 0));
  const where = new Map<string, number[]>();
  for (const [i, list] of sampled.entries()) for (const s of list) where.set(s, [...(where.get(s) ?? []), i]);
  const shared = new Map<number, number>();
  for (const list of where.values())
    for (let x = 0; x < list.length; x++)
      for (let y = x + 1; y < list.length; y++) {
        const key = list[x]! * texts.length + list[y]!;
        shared.set(key, (shared.get(key) ?? 0) + 1);
      }
  const pairs: NaturalPair[] = [];
  for (const [key, inter] of shared) {
    const [i, j] = [Math.floor(key / texts.length), key % texts.length];
    const union = sampled[i]!.length + sampled[j]!.length - inter;
    // The sample is a rough guess: pairs well under the level are passed over.
    if (inter / union < level - 0.25) continue;
    const exact = overlap(sets[i]!, sets[j]!);
    if (exact.inter / exact.union >= level)
      pairs.push({ a: texts[i]!.path, b: texts[j]!.path, ...exact, jaccard: exact.inter / exact.union });
  }
  return pairs.toSorted((p, q) => (p.a + p.b < q.a + q.b ? -1 : 1));
}

function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  h ^= h >>> 15;
  return Math.imul(h, 0x2c1b3c6d) >>> 12;
}
