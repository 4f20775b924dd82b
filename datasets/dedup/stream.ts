import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createShingler, type Reading } from '../../core/text/shingles.ts';
import { chooseBands } from './bands.ts';
import { createBucketTable } from './buckets.ts';
import { createFingerprint } from './fingerprint.ts';
import { createLeader } from './leader.ts';
import { createSigner } from './minhash.ts';
import { grown, openSetStore } from './sets.ts';

export interface StreamOptions {
  /** Least Jaccard similarity of a near-duplicate. */
  threshold: number;
  /** Share of the pairs exactly at the threshold to find. */
  recall: number;
  functions: number;
  seed: number;
  reading: Reading;
}

export interface Answer {
  /** Number of the kept text that this one repeats, or null. */
  duplicateOf: number | null;
  /** 1 for an exact duplicate of a kept text, else Jaccard similarity of shingles, counted. */
  similarity: number | null;
}

export interface Deduplicator {
  /** The next text, numbered from 0. The first of a group stays. */
  add(text: string): Answer;
  /** How often a bucket or a list of candidates was full: only then, or by the chance that `recall` names, a near-duplicate stays. */
  crowded(): number;
  /** Removes the temporary file. */
  close(): void;
}

/**
 * Deduplicates a stream as it comes: each text is answered at once, against the texts before it. Memory a text: its
 * bands (about 30 bytes each), a byte a function and some 40 bytes more; shingle sets lie in an unlinked temporary file.
 */
export function createDeduplicator(options: StreamOptions): Deduplicator {
  const folder = mkdtempSync(join(tmpdir(), 'garner-dedup-'));
  const store = openSetStore(join(folder, 'sets'));
  rmSync(folder, { recursive: true });
  const fingerprint = createFingerprint();
  const shingle = createShingler(options.reading);
  const sign = createSigner(options.functions, options.seed);
  const banding = chooseBands(options.threshold, options.recall, options.functions);
  const leader = createLeader(options.threshold, options.functions, banding, store);
  const exact = createBucketTable();
  let prints = new Int32Array(4 << 8);
  let keptBy = new Int32Array(1 << 8);
  let similarities = new Float64Array(1 << 8);
  const print = new Int32Array(4);
  let count = 0;

  const firstOfGroup = () => {
    let found = -1;
    exact.visit(print[0]!, (n) => {
      if (print.every((word, k) => word === prints[4 * n + k])) found = n;
    });
    return found;
  };
  const record = (kept: number, similarity: number): Answer => {
    keptBy[count] = kept;
    similarities[count] = similarity;
    const answer = kept === count ? { duplicateOf: null, similarity: null } : { duplicateOf: kept, similarity };
    count++;
    return answer;
  };
  return {
    add(text) {
      if (count === keptBy.length) {
        prints = grown(prints, new Int32Array(count * 8));
        keptBy = grown(keptBy, new Int32Array(count * 2));
        similarities = grown(similarities, new Float64Array(count * 2));
      }
      const digits = fingerprint(text);
      for (let k = 0; k < 4; k++) print[k] = Number.parseInt(digits.slice(8 * k, 8 * k + 8), 16) | 0;
      const first = firstOfGroup();
      const set = shingle(text);
      if (first >= 0) {
        if (keptBy[first] === first && !sameSet(set, first)) {
          store.put(count, set);
          leader.addSpelling(count, sign(set), first);
        }
        return record(keptBy[first]!, similarities[first]!);
      }
      prints.set(print, 4 * count);
      exact.add(print[0]!, count);
      store.put(count, set);
      const match = set.length > 0 ? leader.add(count, sign(set)) : null;
      return match ? record(match.kept, match.similarity) : record(count, 1);
    },
    crowded: () => leader.full,
    close: () => store.close(),
  };

  function sameSet(set: BigUint64Array, other: number): boolean {
    if (store.size(other) !== set.length) return false;
    const there = store.get(other);
    return Buffer.from(there.buffer, there.byteOffset, there.byteLength).equals(
      new Uint8Array(set.buffer, set.byteOffset, set.byteLength),
    );
  }
}
