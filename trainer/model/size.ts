import type { ModelConfig } from './config.ts';
import { weightsOf } from './weights.ts';

/** Parameters, a tied embedding once. */
export const parametersOf = (config: ModelConfig): number =>
  weightsOf(config).reduce((sum, { shape }) => sum + shape.reduce((n, d) => n * d, 1), 0);

/**
 * FLOPs of training on one token (forward and backward, a multiply-add is 2): 6 · N + 12 · L · H · Q · T, N being every
 * parameter that multiplies, the head once and no lookup. T is the whole sequence, causality not credited: the published
 * convention (Chowdhery et al. 2022, arXiv:2204.02311, appendix B).
 */
export function flopsPerToken(c: ModelConfig, sequence = c.context): number {
  const norms = (2 * c.layers + 1) * c.width;
  const lookup = c.tiedEmbeddings ? 0 : c.vocabulary * c.width;
  return 6 * (parametersOf(c) - norms - lookup) + 12 * c.layers * c.heads * c.headSize * sequence;
}
