/** What a planner must know of a dense transformer. All counts, no units. */
export interface Shape {
  layers: number;
  width: number;
  heads: number;
  keyValueHeads: number;
  headSize: number;
  feedForward: number;
  vocabulary: number;
  /** Three matrices in the feed-forward (SwiGLU, GEGLU) instead of two. */
  gated: boolean;
  /** One matrix for the embedding and the head. */
  tied: boolean;
  /** Rows of learned positions; 0 for rotary ones, ALiBi or relative ones. */
  positions: number;
  /** `layer` has a bias beside its weight, `rms` none, `bare` no weights at all. */
  norm: 'rms' | 'layer' | 'bare';
  /** Which linears have a bias. */
  biases: 'none' | 'qkv' | 'all';
  /** A norm of each query and key head: with weights, without, or none. */
  headNorm: 'learned' | 'bare' | 'none';
  /** Attention and feed-forward read one norm side by side (PaLM), not one after the other. */
  parallel: boolean;
  /** Dropout masks are kept for the backward, as Megatron's GPT does. */
  dropout: boolean;
}

type Traits = Pick<Shape, 'gated' | 'tied' | 'norm' | 'biases' | 'headNorm' | 'parallel' | 'dropout'>;

const plain = { gated: false, headNorm: 'none', parallel: false, dropout: false } as const;
const llama: Traits = { ...plain, gated: true, tied: false, norm: 'rms', biases: 'none' };
const gpt: Traits = { ...plain, tied: true, norm: 'layer', biases: 'all' };

/** The kinds of blocks that the tables name; a row says only sizes. */
export const FAMILIES = {
  llama,
  gpt,
  /** GPT with kept dropout masks: Megatron-LM, GPT-3, OPT, BLOOM. */
  megatron: { ...gpt, dropout: true },
  /** GPT with a head of its own (GPT-NeoX). */
  neox: { ...gpt, tied: false },
  qwen2: { ...llama, biases: 'qkv' },
  qwen3: { ...llama, headNorm: 'learned' },
  palm: { ...llama, tied: true, parallel: true },
  /** nanochat of October 2025: norms without weights, a plain feed-forward, a head of its own. */
  nanochat: { ...plain, tied: false, norm: 'bare', biases: 'none', headNorm: 'bare' },
} satisfies Record<string, Traits>;
export type Family = keyof typeof FAMILIES;

/** Weights of one layer's matrices: what multiplies, without biases and norms. */
export function layerMatrices(s: Shape): number {
  const attention = 2 * s.width * s.heads * s.headSize + 2 * s.width * s.keyValueHeads * s.headSize;
  return attention + (s.gated ? 3 : 2) * s.width * s.feedForward;
}

const normWeights = (s: Shape): number => (s.norm === 'bare' ? 0 : (s.norm === 'layer' ? 2 : 1) * s.width);

/** Weights of one layer, with biases and norms. */
export function layerParameters(s: Shape): number {
  const inner = s.heads * s.headSize + 2 * s.keyValueHeads * s.headSize;
  const outer = 2 * s.width + (s.gated ? 2 : 1) * s.feedForward;
  const biases = s.biases === 'none' ? 0 : inner + (s.biases === 'all' ? outer : 0);
  const headNorms = s.headNorm === 'learned' ? 2 * s.headSize : 0;
  return layerMatrices(s) + biases + (s.parallel ? 1 : 2) * normWeights(s) + headNorms;
}

/** Weights of the embedding: token and position tables. */
export const embeddingParameters = (s: Shape): number => (s.vocabulary + s.positions) * s.width;

/** Weights of the end: the final norm, and the head where it is not the embedding. */
export const endParameters = (s: Shape): number => normWeights(s) + (s.tied ? 0 : s.vocabulary * s.width);

/** All parameters, a tied embedding once. */
export const parametersOf = (s: Shape): number =>
  embeddingParameters(s) + s.layers * layerParameters(s) + endParameters(s);
