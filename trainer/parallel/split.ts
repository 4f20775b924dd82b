import { GarnerError } from '../../core/errors.ts';
import type { ModelConfig } from '../model/config.ts';
import type { WeightSpec } from '../model/weights.ts';

/** The part of a weight that a tensor-parallel rank has: rows or columns from … to of the whole, or all of it. */
export interface Part {
  /** 0 cuts rows (outputs), 1 columns (inputs); null: every rank has it whole. */
  axis: 0 | 1 | null;
  from: number;
  to: number;
  /** Ranks of the tensor group that have this very part, this one among them. */
  holders: readonly number[];
}

/** Throws a GarnerError with both sides where the heads of a model cannot be shared by `ranks` tensor ranks. */
export function checkSplit(config: ModelConfig, ranks: number): void {
  const { heads, keyValueHeads: groups, feedForward, vocabulary } = config;
  const wrong = (what: string, hint: string) => {
    throw new GarnerError({ what, where: `tensor=${ranks}`, hint, fault: 2 });
  };
  if (heads % ranks !== 0)
    wrong(
      `${heads} heads over ${ranks} ranks leave ${heads % ranks}: heads = tensor × ${(heads / ranks).toFixed(2)}`,
      'the tensor ranks must divide the heads',
    );
  if (groups % ranks !== 0 && ranks % groups !== 0)
    wrong(
      `${groups} key/value heads and ${ranks} ranks: neither divides the other`,
      'take as many tensor ranks as a divisor or a multiple of kv_heads',
    );
  if (feedForward < ranks || vocabulary < ranks)
    wrong(`${Math.min(feedForward, vocabulary)} rows of a matrix over ${ranks} ranks`, 'take fewer tensor ranks');
}

/** The layer that a weight belongs to by its name, or null: the embedding, the last norm, the head. */
export const layerOf = (name: string): number | null => {
  const layer = /^model\.layers\.(\d+)\./.exec(name)?.[1];
  return layer === undefined ? null : Number(layer);
};

/**
 * How Megatron cuts a Llama block: queries, keys, values, gate and up by outputs, the ends of both branches by inputs, the
 * vocabulary by rows; norms stay whole. Key/value heads that are fewer than the ranks are held by several.
 * Source: Shoeybi et al. 2019, arXiv:1909.08053.
 */
export function partOf(spec: WeightSpec, config: ModelConfig, rank: number, ranks: number): Part {
  const [rows, columns = 1] = spec.shape as [number, number?];
  const everyone = Array.from({ length: ranks }, (_, r) => r);
  const even = (axis: 0 | 1, size: number): Part => ({
    axis,
    from: Math.floor((size * rank) / ranks),
    to: Math.floor((size * (rank + 1)) / ranks),
    holders: [rank],
  });
  if (ranks === 1) return { axis: null, from: 0, to: rows, holders: everyone };
  const kind = /([a-z_]+)\.weight$/.exec(spec.name)![1]!;
  switch (kind) {
    case 'q_proj':
    case 'gate_proj':
    case 'up_proj':
    case 'embed_tokens':
    case 'lm_head':
      return even(0, rows);
    case 'k_proj':
    case 'v_proj': {
      const groups = config.keyValueHeads;
      if (groups % ranks === 0) return even(0, rows);
      const each = ranks / groups;
      const group = Math.floor(rank / each);
      const holders = Array.from({ length: each }, (_, i) => group * each + i);
      return { axis: 0, from: group * config.headSize, to: (group + 1) * config.headSize, holders };
    }
    case 'o_proj':
    case 'down_proj':
      return even(1, columns);
    default:
      return { axis: null, from: 0, to: rows, holders: everyone };
  }
}

/** Shape of a part. */
export function partShape(shape: readonly number[], part: Part): number[] {
  return shape.map((size, axis) => (axis === part.axis ? part.to - part.from : size));
}

/** Copies a part out of the whole (`into` the part), or back (`into` the whole). */
export function copyPart(
  whole: Float32Array,
  piece: Float32Array,
  shape: readonly number[],
  part: Part,
  into: 'piece' | 'whole',
): void {
  const columns = shape[1] ?? 1;
  const put = (there: number, here: number, length: number) => {
    if (into === 'piece') piece.set(whole.subarray(there, there + length), here);
    else whole.set(piece.subarray(here, here + length), there);
  };
  if (part.axis !== 1) return put(part.from * columns, 0, (part.to - part.from) * columns);
  const width = part.to - part.from;
  for (let row = 0; row < shape[0]!; row++) put(row * columns + part.from, row * width, width);
}
