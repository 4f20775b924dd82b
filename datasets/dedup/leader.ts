import { jaccard } from '../../core/text/shingles.ts';
import { bandKeys, type Banding } from './bands.ts';
import { createBucketTable } from './buckets.ts';
import { grown, type SetStore } from './sets.ts';

/** A document that is near one that was kept before it. */
export interface Match {
  /** The kept document's number. */
  kept: number;
  /** The document that was compared: the kept one, or one whose text is the kept one's in another spelling. */
  matched: number;
  /** Jaccard similarity of the two shingle sets, counted, not estimated. */
  similarity: number;
  /** First band that proposed the pair, from 0. */
  band: number;
}

export interface Leader {
  /**
   * Takes the next document in canonical order: its match among those kept so far, or null, and then it is kept itself.
   * Its set must be in the store.
   */
  add(number: number, signature: BigInt64Array): Match | null;
  /** Takes a document that says the same as a kept one in another spelling: what is near to it goes for the kept one's sake. */
  addSpelling(number: number, signature: BigInt64Array, kept: number): void;
  /** Forgets all kept documents: for the next component. */
  clear(): void;
  /** How often a bucket or a list of candidates was full: only then can a near-duplicate stay. */
  full: number;
}

/** Candidates that a document is compared with at most. */
const CANDIDATE_LIMIT = 64;

/**
 * Leader clustering of documents that come in canonical order, best first. Every dropped document has a verified
 * similarity of at least the threshold to a document that is kept (or to another spelling of it): in a chain a ~ b ~ c
 * without a ~ c, a and c are kept. Components of verified pairs would drop c for its likeness to b, which is gone itself.
 */
export function createLeader(threshold: number, functions: number, banding: Banding, store: SetStore): Leader {
  const table = createBucketTable();
  const keys = new Int32Array(banding.bands);
  const least = leastMatches(functions, threshold);
  const sketch = new Uint8Array(functions);
  let numbers = new Int32Array(1 << 8);
  let groups = new Int32Array(1 << 8);
  let sketches = new Uint8Array(functions << 8);
  let count = 0;

  const read = (signature: BigInt64Array) => {
    bandKeys(signature, banding, keys);
    const words = new Uint8Array(signature.buffer, signature.byteOffset, functions * 8);
    for (let f = 0; f < functions; f++) sketch[f] = words[8 * f]!;
  };
  const keep = (number: number, group: number) => {
    if (count === numbers.length) {
      numbers = grown(numbers, new Int32Array(count * 2));
      groups = grown(groups, new Int32Array(count * 2));
      sketches = grown(sketches, new Uint8Array(count * 2 * functions));
    }
    numbers[count] = number;
    groups[count] = group;
    sketches.set(sketch, count * functions);
    for (let band = 0; band < banding.bands; band++) if (!table.add(keys[band]!, count)) leader.full++;
    count++;
  };
  const agreement = (kept: number) => {
    let equal = 0;
    for (let f = 0, at = kept * functions; f < functions; f++, at++) if (sketches[at] === sketch[f]) equal++;
    return equal;
  };
  const leader: Leader = {
    full: 0,
    add(number, signature) {
      read(signature);
      const size = store.size(number);
      const seen = new Map<number, number>();
      for (let band = 0; band < banding.bands; band++)
        table.visit(keys[band]!, (kept) => {
          if (!seen.has(kept)) seen.set(kept, band);
        });
      const candidates: { kept: number; band: number; equal: number }[] = [];
      for (const [kept, band] of seen) {
        const other = store.size(numbers[kept]!);
        if (Math.min(size, other) / Math.max(size, other) < threshold) continue;
        const equal = agreement(kept);
        if (equal >= least) candidates.push({ kept, band, equal });
      }
      candidates.sort((a, b) => b.equal - a.equal || a.kept - b.kept);
      if (candidates.length > CANDIDATE_LIMIT) leader.full++;
      const set = candidates.length > 0 ? store.get(number) : null;
      for (const { kept, band } of candidates.slice(0, CANDIDATE_LIMIT)) {
        const similarity = jaccard(set!, store.get(numbers[kept]!));
        if (similarity >= threshold) {
          return { kept: groups[kept]!, matched: numbers[kept]!, similarity, band };
        }
      }
      keep(number, number);
      return null;
    },
    addSpelling(number, signature, kept) {
      read(signature);
      keep(number, kept);
    },
    clear() {
      table.clear();
      count = 0;
    },
  };
  return leader;
}

/**
 * How many of `functions` minima must agree for a pair to be worth reading: a pair at the threshold has fewer with a
 * chance below one in a million (binomial).
 */
export function leastMatches(functions: number, threshold: number): number {
  if (threshold >= 1) return functions;
  let chance = (1 - threshold) ** functions;
  let below = 0;
  for (let k = 0; k < functions; k++) {
    below += chance;
    if (below > 1e-6) return k;
    chance *= ((functions - k) / (k + 1)) * (threshold / (1 - threshold));
  }
  return functions;
}
