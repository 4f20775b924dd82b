import { peakOf, type Gpu, type Precision } from '../gpus.ts';
import { ATTENTION_BACKWARD, COPY, LAUNCH, limitsOf, TILES } from './constants.ts';

/**
 * Seconds of a matrix product [rows × inner] · [inner × columns], `count` of them side by side. Tiles of the result go to
 * the multiprocessors in waves, and a last wave that is not full takes as long as a full one; the result's way to memory
 * follows the inner loop; and nothing is faster than memory or a launch.
 */
export function productTime(
  gpu: Gpu,
  [rows, inner, columns]: readonly [number, number, number],
  { precision = 'bf16', count = 1 }: { precision?: Precision; count?: number } = {},
): number {
  const { units, products } = limitsOf(gpu);
  const rate = (peakOf(gpu, precision) * products) / units;
  let loop = Infinity;
  for (const [tileRows, tileColumns, share] of TILES) {
    const tiles = Math.ceil(rows / tileRows) * Math.ceil(columns / tileColumns) * count;
    const tile = (2 * tileRows * tileColumns * inner) / (rate * share);
    loop = Math.min(loop, Math.ceil(tiles / units) * tile);
  }
  const element = precision === 'fp8' ? 1 : precision === 'fp32' ? 4 : 2;
  const result = rows * columns * count * (precision === 'fp32' ? 4 : 2);
  const operands = inner * (rows + columns) * count * element;
  const bandwidth = gpu.bandwidth * COPY;
  return Math.max(loop + result / bandwidth, (operands + result) / bandwidth, LAUNCH);
}

/** Seconds of a kernel that only reads and writes so many bytes. */
export const passTime = (gpu: Gpu, bytes: number): number => Math.max(bytes / (gpu.bandwidth * COPY), LAUNCH);

/** What one GPU's attention works on: its heads and rows, its own queries, and the keys that these may see in all; fp8 models keep it in bf16. */
export interface AttentionWork {
  heads: number;
  headSize: number;
  rows: number;
  queries: number;
  keys: number;
  precision: 'bf16' | 'fp32';
}

/** Seconds of FlashAttention, forward and backward; it skips what causality hides: (T + 1)/2 of T. */
export function flashTime(gpu: Gpu, work: AttentionWork): { forward: number; backward: number } {
  const { heads, headSize, rows, queries, keys } = work;
  const flops = 4 * rows * queries * ((keys + 1) / 2) * heads * headSize;
  const rate = peakOf(gpu, work.precision) * limitsOf(gpu).attention;
  return {
    forward: Math.max(flops / rate, LAUNCH),
    backward: Math.max((ATTENTION_BACKWARD.flops * flops) / (rate * ATTENTION_BACKWARD.rate), LAUNCH),
  };
}

/**
 * Seconds of attention that keeps its matrix (Megatron-LM before FlashAttention): nothing is skipped, and scores pass through
 * memory: softmax reads and writes them (4 bytes), dropout too with its mask (5); back, dropout (5) and softmax (6).
 */
export function matrixAttentionTime(
  gpu: Gpu,
  { heads, headSize, rows, queries, keys, precision }: AttentionWork,
  dropout: boolean,
): { forward: number; backward: number } {
  const count = heads * rows;
  const scores = queries * keys * count;
  const scoring = productTime(gpu, [queries, headSize, keys], { precision, count });
  const mixing = productTime(gpu, [queries, keys, headSize], { precision, count });
  const drop = dropout ? passTime(gpu, 5 * scores) : 0;
  return {
    forward: scoring + mixing + passTime(gpu, 4 * scores) + drop,
    // Queries' and keys' gradients are shaped as the mixing, the weights' gradient as the scoring.
    backward: scoring + 3 * mixing + passTime(gpu, 6 * scores) + drop,
  };
}
