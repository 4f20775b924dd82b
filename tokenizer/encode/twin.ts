import { openSplitter } from './split.ts';
import { byteIds, NO_TOKEN, type Encode, type Vocabulary } from './vocabulary.ts';

/** Distinct pre-tokens that are remembered; when full, the memory is emptied. */
const CACHE_ENTRIES = 1 << 16;
const CACHE_KEY = 64;
const NO_MERGE = 0xffffffff;

interface Merge {
  id: number;
  priority: number;
}

/** Merges by left and right id; a number where left × size + right is one. */
type Pairs = (left: number, right: number) => Merge | undefined;

/** The encoder of encode.c in TypeScript: the same ids, for machines without a C compiler. */
export function twinEncoder(v: Vocabulary): Encode {
  const ids = byteIds(v.tokens);
  const pairs = indexPairs(v);
  const words = new Map<string, number>();
  const merge = (piece: Uint8Array) => mergeBytes(pairs, ids, piece);
  for (let id = 0; id < v.tokens.length; id++) {
    const token = v.tokens[id]!;
    if (token.length === 0) continue;
    if (v.merges && !v.whole) {
      const got = merge(token);
      if (got.length !== 1 || got[0] !== id) continue;
    }
    words.set(latin1(token), id);
  }
  const cache = new Map<string, readonly number[]>();
  return (utf8) => {
    const next = openSplitter(utf8, v.split);
    const out = new Uint32Array(utf8.length);
    let count = 0;
    for (let i = 0, end = 0; i < utf8.length; i = end) {
      end = next(i);
      const piece = utf8.subarray(i, end);
      const key = latin1(piece);
      const word = words.get(key);
      if (word !== undefined) {
        out[count++] = word;
        continue;
      }
      let got = cache.get(key);
      if (!got) {
        got = merge(piece).filter((id) => id !== NO_TOKEN);
        if (cache.size >= CACHE_ENTRIES) cache.clear();
        if (piece.length <= CACHE_KEY) cache.set(key, got);
      }
      for (const id of got) out[count++] = id;
    }
    return out.slice(0, count);
  };
}

const latin1 = (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');

function indexPairs(v: Vocabulary): Pairs {
  const size = v.tokens.length;
  const table = new Map<number, Merge>();
  const add = (left: number, right: number, merge: Merge) => {
    const key = left * size + right;
    if (!table.has(key)) table.set(key, merge);
  };
  if (v.merges) {
    for (let i = 0; i < v.merges.length; i += 3)
      add(v.merges[i]!, v.merges[i + 1]!, { id: v.merges[i + 2]!, priority: i / 3 });
  } else {
    const keys = v.tokens.map(latin1);
    const known = new Map(keys.map((key, id) => [key, id]));
    for (const [id, key] of keys.entries()) {
      for (let cut = 1; cut < key.length; cut++) {
        const left = known.get(key.slice(0, cut));
        const right = left === undefined ? undefined : known.get(key.slice(cut));
        if (right !== undefined) add(left!, right, { id, priority: id });
      }
    }
  }
  return (left, right) => (left === NO_TOKEN || right === NO_TOKEN ? undefined : table.get(left * size + right));
}

/** The leftmost pair of the lowest priority is merged until none is left: a heap over a linked list, n log n. */
function mergeBytes(pairs: Pairs, bytes: Uint32Array, piece: Uint8Array): number[] {
  const n = piece.length;
  const ids = Uint32Array.from(piece, (b) => bytes[b]!);
  const priority = new Uint32Array(n).fill(NO_MERGE);
  const merged = new Uint32Array(n);
  const next = Uint32Array.from({ length: n }, (_, i) => i + 1);
  const prev = Int32Array.from({ length: n }, (_, i) => i - 1);
  const heap = openHeap(3 * n);
  const look = (place: number, after: number) => {
    const found = pairs(ids[place]!, ids[after]!);
    priority[place] = found?.priority ?? NO_MERGE;
    if (!found) return;
    merged[place] = found.id;
    heap.push(found.priority, place);
  };
  for (let i = 0; i + 1 < n; i++) look(i, i + 1);
  for (let top = heap.pop(); top; top = heap.pop()) {
    const { place } = top;
    if (priority[place] !== top.priority) continue;
    const gone = next[place]!;
    const after = next[gone]!;
    const before = prev[place]!;
    ids[place] = merged[place]!;
    priority[gone] = NO_MERGE;
    priority[place] = NO_MERGE;
    next[place] = after;
    if (after < n) {
      prev[after] = place;
      look(place, after);
    }
    if (before >= 0) look(before, place);
  }
  const out: number[] = [];
  for (let i = 0; i < n; i = next[i]!) out.push(ids[i]!);
  return out;
}

/** A binary heap of (priority, place), the smallest first. */
function openHeap(capacity: number) {
  const priorities = new Uint32Array(capacity);
  const places = new Uint32Array(capacity);
  let size = 0;
  const before = (a: number, b: number) =>
    priorities[a]! < priorities[b]! || (priorities[a] === priorities[b] && places[a]! < places[b]!);
  const swap = (a: number, b: number) => {
    const [p, q] = [priorities[a]!, places[a]!];
    [priorities[a], places[a]] = [priorities[b]!, places[b]!];
    [priorities[b], places[b]] = [p, q];
  };
  return {
    push(priority: number, place: number) {
      let i = size++;
      [priorities[i], places[i]] = [priority, place];
      for (let up = (i - 1) >> 1; i > 0 && before(i, up); i = up, up = (i - 1) >> 1) swap(i, up);
    },
    pop(): { priority: number; place: number } | undefined {
      if (size === 0) return undefined;
      const top = { priority: priorities[0]!, place: places[0]! };
      swap(0, --size);
      for (let i = 0; ;) {
        let least = i;
        for (const child of [2 * i + 1, 2 * i + 2]) if (child < size && before(child, least)) least = child;
        if (least === i) return top;
        swap(i, least);
        i = least;
      }
    },
  };
}
