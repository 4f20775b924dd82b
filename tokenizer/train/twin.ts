import type { SplitName } from '../encode/patterns.ts';
import { openSplitter } from '../encode/split.ts';
import type { Figures, Merges, PairTrainer } from './trainer.ts';

const NONE = 0xffffffff;
const LONGEST = 1 << 20;

/** A pair of ids: how often it occurs now, and the places where it began (those that are gone are passed over). */
interface Pair {
  left: number;
  right: number;
  total: number;
  places: number[];
}

/** A pair in the heap with the count it had then. */
interface Entry {
  count: number;
  pair: Pair;
}

/** The trainer of train.c in TypeScript: the same merges, for machines without a C compiler. */
export function twinTrainer(split: SplitName, limit: number): PairTrainer {
  const counter = openCounter(limit);
  const { counts } = counter;
  let merger: ReturnType<typeof openMerger> | undefined;
  let bytes = 0;
  let preTokens = 0;
  return {
    engine: 'typescript',
    add(utf8) {
      const next = openSplitter(utf8, split);
      bytes += utf8.length;
      for (let i = 0; i < utf8.length;) {
        const end = next(i);
        for (; end - i > LONGEST; i += LONGEST, preTokens++) counter.count(latin1(utf8.subarray(i, i + LONGEST)));
        counter.count(latin1(utf8.subarray(i, end)));
        preTokens++;
        i = end;
      }
    },
    begin: () => void (merger = openMerger(counts)),
    merge: (most) => merger!.merge(most),
    figures: (): Figures => ({
      bytes,
      preTokens,
      distinct: counts.size,
      distinctBytes: counter.distinctBytes(),
      tokens: merger ? merger.tokens() : 0,
      forgotten: counter.forgotten(),
    }),
    close() {
      counts.clear();
      merger = undefined;
    },
  };
}

const latin1 = (s: Uint8Array) => Buffer.from(s.buffer, s.byteOffset, s.byteLength).toString('latin1');

/** Distinct pre-tokens (a character a byte) and how often each occurred; the rarest are forgotten beyond the limit. */
function openCounter(limit: number) {
  const counts = new Map<string, number>();
  let used = 0;
  let forgotten = 0;
  const forget = () => {
    for (let rare = 1; used > Math.floor(limit / 2); rare *= 2) {
      for (const [piece, n] of counts) {
        if (n > rare) continue;
        counts.delete(piece);
        used -= piece.length;
        forgotten++;
      }
    }
  };
  return {
    counts,
    distinctBytes: () => used,
    forgotten: () => forgotten,
    count(piece: string) {
      const before = counts.get(piece);
      counts.set(piece, (before ?? 0) + 1);
      if (before !== undefined) return;
      used += piece.length;
      if (used > limit) forget();
    },
  };
}

function openMerger(counts: ReadonlyMap<string, number>) {
  const size = [...counts.keys()].reduce((n, piece) => n + piece.length, 0);
  const symbol = new Uint32Array(size);
  const next = new Uint32Array(size).fill(NONE);
  const prev = new Uint32Array(size).fill(NONE);
  const weight = new Float64Array(size);
  const pairAt: (Pair | undefined)[] = Array.from({ length: size }, () => undefined);
  const heap = openHeap();
  let tokens = 0;
  let made = 0;

  const first = new Map<number, Pair>();
  let at = 0;
  for (const [piece, n] of counts) {
    tokens += n * piece.length;
    for (let k = 0; k < piece.length; k++, at++) {
      symbol[at] = piece.charCodeAt(k);
      weight[at] = n;
      if (k > 0) prev[at] = at - 1;
      if (k + 1 < piece.length) next[at] = at + 1;
    }
  }
  for (let i = 0; i < size; i++)
    if (next[i] !== NONE) begin(first, symbol[i]! * 256 + symbol[i + 1]!, i, symbol[i]!, symbol[i + 1]!);
  for (const pair of first.values()) heap.push({ count: pair.total, pair });

  /** Notes that a pair stands at `place` now. */
  function begin(known: Map<number, Pair>, key: number, place: number, left: number, right: number): void {
    let pair = known.get(key);
    if (!pair) known.set(key, (pair = { left, right, total: 0, places: [] }));
    pair.total += weight[place]!;
    pair.places.push(place);
    pairAt[place] = pair;
  }

  /** Replaces every place of a pair by the token `z`; returns the pairs that arise. */
  function replace(pair: Pair, z: number): Iterable<Pair> {
    const lefts = new Map<number, Pair>();
    const rights = new Map<number, Pair>();
    for (const place of pair.places) {
      if (pairAt[place] !== pair) continue;
      const gone = next[place]!;
      const after = next[gone]!;
      const before = prev[place]!;
      symbol[place] = z;
      next[place] = after;
      pairAt[place] = undefined;
      tokens -= weight[place]!;
      if (before !== NONE) {
        pairAt[before]!.total -= weight[place]!;
        begin(lefts, symbol[before]!, before, symbol[before]!, z);
      }
      if (after !== NONE) {
        prev[after] = place;
        pairAt[gone]!.total -= weight[place]!;
        begin(rights, symbol[after]!, place, z, symbol[after]!);
      }
      pairAt[gone] = undefined;
    }
    pair.total = 0;
    pair.places = [];
    return [...lefts.values(), ...rights.values()];
  }

  return {
    tokens: () => tokens,
    merge(most: number): Merges {
      const pairs: number[] = [];
      const taken: number[] = [];
      while (taken.length < most) {
        const best = heap.pop();
        if (!best) break;
        const { pair } = best;
        if (pair.total !== best.count) {
          // Counts only fall: the pair goes down to where it belongs now.
          if (pair.total > 0) heap.push({ count: pair.total, pair });
          continue;
        }
        pairs.push(pair.left, pair.right);
        taken.push(best.count);
        for (const arisen of replace(pair, 256 + made++))
          if (arisen.total > 0) heap.push({ count: arisen.total, pair: arisen });
      }
      return { pairs: Uint32Array.from(pairs), counts: Float64Array.from(taken) };
    },
  };
}

/** The greatest count comes first, then the smaller left id, then the smaller right id. */
const comesFirst = (a: Entry, b: Entry) =>
  a.count !== b.count
    ? a.count > b.count
    : a.pair.left !== b.pair.left
      ? a.pair.left < b.pair.left
      : a.pair.right < b.pair.right;

function openHeap() {
  const heap: Entry[] = [];
  return {
    push(x: Entry) {
      let i = heap.length;
      heap.push(x);
      for (let up = (i - 1) >> 1; i > 0 && comesFirst(x, heap[up]!); i = up, up = (i - 1) >> 1) heap[i] = heap[up]!;
      heap[i] = x;
    },
    pop(): Entry | undefined {
      const top = heap[0];
      const x = heap.pop();
      if (!x || heap.length === 0) return top;
      let i = 0;
      for (let child = 1; child < heap.length; child = 2 * i + 1) {
        if (child + 1 < heap.length && comesFirst(heap[child + 1]!, heap[child]!)) child++;
        if (!comesFirst(heap[child]!, x)) break;
        heap[i] = heap[child]!;
        i = child;
      }
      heap[i] = x;
      return top;
    },
  };
}
