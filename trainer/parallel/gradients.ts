import type { Group } from '../collectives/group.ts';
import type { Engine } from '../engines/engine.ts';
import { copy } from '../ops/add/op.ts';
import type { Tensor } from '../ops/define.ts';
import { edgesOf, gradientStart, type Bucket, type LocalWeights } from './local.ts';
import type { ParallelOptions } from './options.ts';

/** Micro-batches of a whole step are added in at most so many groups, and the groups pairwise. */
const MOST_GROUPS = 16;
/** Sums that are begun and not ended; a home holds 64. */
const MOST_PENDING = 32;

const some: Tensor = { name: '', shape: [1], type: 'f32', zone: 'gradients' };
const { kernel: COPY } = copy({ y: { tensor: some, add: true }, x: some }, { size: 1 });

/** How a rank adds the gradients of its micro-batches. */
export interface Rounds {
  /** Micro-batches of this rank. */
  count: number;
  /** Of which so many are added one to the other, before … */
  group: number;
  /** … so many groups are added pairwise. A power of two. */
  groups: number;
}

/**
 * Floats do not add alike in another order: all meshes add alike by adding micro-batches 0 … m − 1 in groups of consecutive
 * ones, and a power of two of groups by pairs of pairs. A rank has some of those subtrees, the sum over data ranks is the rest.
 */
export function roundsOf(slots: number, data: number, passing: boolean): Rounds {
  const count = slots / data;
  const twos = (n: number) => n & -n;
  if (passing) return { count, group: count / twos(count), groups: twos(count) };
  const whole = Math.min(MOST_GROUPS, twos(slots));
  const groups = whole % data === 0 ? whole / data : Math.min(MOST_GROUPS, twos(count));
  return { count, group: count / groups, groups };
}

/** The slot of a rank's micro-batch: consecutive ones, or (ZeRO-2, whose sums over ranks come first) every data-th. */
export const slotOf = (micro: number, rounds: Rounds, data: Group, passing: boolean): number =>
  passing ? micro * data.ranks + data.rank : data.rank * rounds.count + micro;

export interface Gradients {
  /** Begins a step. */
  open(rounds: Rounds): void;
  /** Before the backward half of a micro-batch on a chunk of the model. */
  before(chunk: number, micro: number): void;
  /** A bucket has this micro-batch; `memory` where it does not lie in the zone. */
  bucket(number: number, memory?: Float32Array): void;
  /** Waits for all sums; then the gradients of this rank's own parts are those of the whole step. */
  close(): void;
  /** This rank's own part of a bucket: gradients, and where it begins and ends in the bucket. */
  own(number: number): { gradients: Float32Array; from: number; to: number };
  /** Bytes of working memory. */
  bytes(): number;
}

export interface GradientParts {
  local: LocalWeights;
  options: ParallelOptions;
  engine: Engine;
  /** All gradients, or with ZeRO-2 those of the own parts, bucket by bucket. */
  zone: Float32Array;
  data: Group;
  /** Of the tensor group: ranks that hold the same part of a weight and have gradients of different rows or heads. */
  copies: (weight: LocalWeights['weights'][number]) => Group | null;
  /** First and last stage, where a tied embedding is on both. */
  ends: Group | null;
}

/** What a rank has of each bucket after the sums, and where that begins in the zone of own parts. */
export function ownParts(local: LocalWeights, data: Group, zero: number) {
  let start = 0;
  return local.buckets.map((bucket) => {
    const edges = edgesOf(bucket, data.ranks);
    const length = bucket.to - bucket.from;
    const [from, to] = zero > 0 ? [edges[data.rank]!, edges[data.rank + 1]!] : [0, length];
    const part = { edges, from, to, start };
    start += to - from;
    return part;
  });
}

/** Adds up gradients: over micro-batches in this rank, over data ranks while the backward half still runs, over uses of a weight. */
export function openGradients(parts: GradientParts): Gradients {
  const { local, options, engine, zone, data, copies, ends } = parts;
  const passing = options.zero === 2;
  const own = ownParts(local, data, options.zero);
  const rangeOf = (number: number): [number, number] => {
    const bucket = local.buckets[number]!;
    if (passing) return [own[number]!.start, own[number]!.start + own[number]!.to - own[number]!.from];
    const start = gradientStart(bucket, local);
    return [start, start + bucket.to - bucket.from];
  };
  const view = (of: Float32Array, number: number) => of.subarray(...rangeOf(number));
  const mine = (chunk: number) => [...local.buckets.keys()].filter((b) => local.buckets[b]!.chunk === chunk);

  const stashes: Float32Array[] = [];
  const stash = (level: number): Float32Array => {
    if (!stashes[level]) {
      const { buffer, byteOffset } = engine.allocate(zone.byteLength);
      stashes[level] = new Float32Array(buffer, byteOffset, zone.length);
    }
    return stashes[level];
  };
  const adders = new Map<string, () => void>();
  /** target += from, on the engine. `name` tells the pair from others. */
  const add = (name: string, target: Float32Array, from: Float32Array) => {
    if (!adders.has(name))
      adders.set(name, engine.bind([{ kernel: COPY, views: [target, from], adds: 1, numbers: [target.length] }]));
    adders.get(name)!();
  };

  let rounds: Rounds = { count: 1, group: 1, groups: 1 };
  const at = new Map<number, number>();
  const pending: (() => void)[] = [];
  /** Group g of a bucket is complete: it joins the groups that it forms a pair with, then waits for its own. */
  const put = (number: number, g: number) => {
    let level = 0;
    for (; (g >> level) & 1; level++) add(`${number} ${level}`, view(zone, number), view(stash(level), number));
    if (g < rounds.groups - 1) view(stash(level), number).set(view(zone, number));
  };
  const sumCopies = (bucket: Bucket, memory: Float32Array) => {
    for (const weight of bucket.weights) {
      const group = copies(weight);
      const from = weight.from - bucket.from;
      if (group) group.allReduce(memory.subarray(from, from + weight.size));
    }
  };
  const groupOf = (micro: number) => Math.floor(micro / rounds.group);
  const closesGroup = (micro: number) => micro % rounds.group === rounds.group - 1;
  const ownOf = (number: number) => {
    const { from, to } = own[number]!;
    const whole = view(zone, number);
    return { gradients: passing ? whole : whole.subarray(from, to), from, to };
  };

  return {
    open: (next) => void (rounds = next),
    before(chunk, micro) {
      at.set(chunk, micro);
      if (micro % rounds.group === 0) for (const number of mine(chunk)) view(zone, number).fill(0);
    },
    bucket(number, memory) {
      const bucket = local.buckets[number]!;
      const micro = at.get(bucket.chunk)!;
      const { edges, from, to } = own[number]!;
      if (memory) {
        sumCopies(bucket, memory);
        data.reduceScatter(memory, edges);
        if (to > from) add(`${number} in passing`, view(zone, number), memory.subarray(from, to));
        if (closesGroup(micro) && to > from) put(number, groupOf(micro));
        return;
      }
      if (!closesGroup(micro)) return;
      put(number, groupOf(micro));
      if (micro < rounds.count - 1) return;
      const whole = view(zone, number);
      sumCopies(bucket, whole);
      if (data.ranks === 1) return;
      if (pending.length >= MOST_PENDING) pending.shift()!();
      pending.push(options.zero > 0 ? data.startReduceScatter(whole, edges) : data.startAllReduce(whole));
    },
    close() {
      for (const end of pending.splice(0)) end();
      local.buckets.forEach((bucket, number) => {
        const { gradients } = ownOf(number);
        if (bucket.second) {
          const first = local.buckets.findIndex((b) => b.from === bucket.from && !b.second);
          if (gradients.length > 0) add('uses of the embedding', ownOf(first).gradients, gradients);
        } else if (ends && bucket.weights[0]!.spec.name === 'model.embed_tokens.weight') ends.allReduce(gradients);
      });
    },
    own: ownOf,
    bytes: () => stashes.reduce((sum, s) => sum + s.byteLength, 0),
  };
}
