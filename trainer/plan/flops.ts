import { layerMatrices, parametersOf, type Shape } from './shape.ts';

export { parametersOf } from './shape.ts';

/** How FLOPs are counted: every product of the model, or 6 a parameter and token (Kaplan et al. 2020, arXiv:2001.08361). */
export type Count = 'exact' | '6nd';

/** What the backward makes anew: nothing; norms, activation functions and a kept attention matrix; or whole layers. */
export type Recompute = 'none' | 'selective' | 'full';

/** Whether the matrix of attention weights is ever in memory: `flash` never makes it. */
export type Attention = 'flash' | 'matrix';

/** FLOPs of attention's own products on one token, forward and backward; causality is not credited (arXiv:2204.02311, appendix B). */
const attentionFlops = (s: Shape, sequence: number): number => 12 * s.layers * s.heads * s.headSize * sequence;

/**
 * FLOPs of training on one token, forward and backward, a multiply-add being 2, nothing made anew.
 * `exact`: 6 · N + 12 · L · H · Q · T, N being every weight that multiplies, the head once and no lookup.
 */
export function flopsPerToken(s: Shape, sequence: number, count: Count = 'exact'): number {
  if (count === '6nd') return 6 * parametersOf(s);
  return 6 * (s.layers * layerMatrices(s) + s.vocabulary * s.width) + attentionFlops(s, sequence);
}

/**
 * FLOPs that recomputation adds, as a share of the model's own: `full` runs each layer's forward again (not the head's),
 * `selective` the attention matrix where one is kept; norms and activation functions are bytes, not FLOPs.
 */
export function recomputed(s: Shape, sequence: number, how: Recompute, attention: Attention = 'flash'): number {
  const again = {
    none: 0,
    selective: attention === 'matrix' ? attentionFlops(s, sequence) / 3 : 0,
    full: 2 * s.layers * layerMatrices(s) + attentionFlops(s, sequence) / 3,
  };
  return again[how] / flopsPerToken(s, sequence);
}

/** FLOPs of a run's model over its tokens. */
export const runFlops = (s: Shape, run: { tokens: number; sequence: number; count?: Count | undefined }): number =>
  run.tokens * flopsPerToken(s, run.sequence, run.count);

/** Tokens a parameter over Chinchilla's 20 (Hoffmann et al. 2022, arXiv:2203.15556): 1 spends a budget of FLOPs best. */
export const chinchillaRatio = (s: Shape, tokens: number): number => tokens / (20 * parametersOf(s));
