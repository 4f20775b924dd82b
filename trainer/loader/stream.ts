/** Tokens one after another, read anywhere. */
export interface TokenStream {
  /** [tokens] */
  length: number;
  /** Fills `into` with the tokens from `start` on; all of them must lie in the stream. */
  read(start: number, into: Int32Array): void;
}

export type Tokens = Uint16Array | Uint32Array | Int32Array;

/** A run of tokens inside one shard. */
export interface Segment {
  shard: number;
  start: number;
  length: number;
}

/**
 * Segments of shards as one stream: O(log segments) to any position, and no token is copied but into the row.
 * Without `segments`, the shards whole and in order.
 */
export function openStream(shards: readonly Tokens[], segments?: readonly Segment[]): TokenStream {
  const all = segments ?? shards.map((tokens, shard) => ({ shard, start: 0, length: tokens.length }));
  const starts = new Float64Array(all.length + 1);
  all.forEach((segment, i) => {
    const tokens = shards[segment.shard];
    if (!tokens || segment.start < 0 || segment.length < 0 || segment.start + segment.length > tokens.length)
      throw new RangeError(`segment ${i} leaves shard ${segment.shard}`);
    starts[i + 1] = starts[i]! + segment.length;
  });
  const length = starts[all.length]!;
  return {
    length,
    read(start, into) {
      if (!(start >= 0 && start + into.length <= length))
        throw new RangeError(`tokens ${start} … ${start + into.length} of ${length}`);
      let done = 0;
      for (let i = segmentAt(starts, start); done < into.length; i++) {
        const { shard, start: from, length: size } = all[i]!;
        const skip = start + done - starts[i]!;
        const take = Math.min(size - skip, into.length - done);
        into.set(shards[shard]!.subarray(from + skip, from + skip + take), done);
        done += take;
      }
    },
  };
}

/** The segment that holds a position: the last start that is not above it. */
function segmentAt(starts: Float64Array, position: number): number {
  let low = 0;
  let high = starts.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if (starts[middle]! <= position) low = middle;
    else high = middle;
  }
  return low;
}

/** A document in the shards and how often an epoch shows it. */
export interface WeightedDocument extends Segment {
  repeats: number;
}

/**
 * The stream of an epoch in which documents have weights: all documents once, then those that are shown at least twice,
 * then three times … Neighbours are joined, so that without weights there is one segment a shard.
 */
export function repeatedSegments(documents: readonly WeightedDocument[]): Segment[] {
  const most = documents.reduce((top, d) => Math.max(top, d.repeats), 0);
  const segments: Segment[] = [];
  for (let pass = 1; pass <= most; pass++) {
    for (const { shard, start, length, repeats } of documents) {
      if (repeats < pass || length === 0) continue;
      const last = segments.at(-1);
      if (last && last.shard === shard && last.start + last.length === start) last.length += length;
      else segments.push({ shard, start, length });
    }
  }
  return segments;
}
