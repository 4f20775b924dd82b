import type { ModelConfig } from '../model/config.ts';

/** The matrices of a layer that can have an adapter, in the order of the model. */
export const TARGETS = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'] as const;
export type Target = (typeof TARGETS)[number];

/**
 * Low-rank adapters beside frozen weights: y = x Wᵀ + (alpha / rank) · (x Aᵀ) Bᵀ, A [rank, in], B [out, rank].
 * Source: Hu et al. 2021, arXiv:2106.09685.
 */
export interface Lora {
  rank: number;
  alpha: number;
  /** In the order of TARGETS. */
  targets: readonly Target[];
  /** Ids of tokens, ascending, whose rows of the embedding (and of a head of its own) are trained beside the adapters. */
  rows: readonly number[];
}

/** What the product with an adapter is multiplied by. */
export const scaleOf = ({ rank, alpha }: Lora): number => alpha / rank;

/** The names of an adapter's two matrices by that of its weight; null where the weight has none. */
export function adapterOf(weight: string, lora: Lora | undefined): Record<'a' | 'b', string> | null {
  const [, module, kind] = /^(model\.layers\.\d+\.\w+\.(\w+))\.weight$/.exec(weight) ?? [];
  if (!lora || module === undefined || !lora.targets.some((t) => t === kind)) return null;
  return { a: `${module}.lora_A.weight`, b: `${module}.lora_B.weight` };
}

/** The name of the trained rows of a table; null where the table has none. */
export function rowsOf(weight: string, lora: Lora | undefined): string | null {
  if (!lora || lora.rows.length === 0) return null;
  if (weight !== 'model.embed_tokens.weight' && weight !== 'lm_head.weight') return null;
  return weight.replace(/weight$/, 'token_adapter.trainable_tokens_delta');
}

/** The model without its adapters: what the merged weights are of. */
export function mergedConfig(config: ModelConfig): ModelConfig {
  const { lora: _, ...base } = config;
  return base;
}
