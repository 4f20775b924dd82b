import { add } from '../ops/add/op.ts';
import { attention, cachedAttention } from '../ops/attention/op.ts';
import { crossEntropy } from '../ops/cross-entropy/op.ts';
import type { Tensor } from '../ops/define.ts';
import { embedding } from '../ops/embedding/op.ts';
import { linear } from '../ops/linear/op.ts';
import { rmsnorm } from '../ops/rmsnorm/op.ts';
import { rope } from '../ops/rope/op.ts';
import { score } from '../ops/score/op.ts';
import { swiglu } from '../ops/swiglu/op.ts';
import type { ModelConfig } from './config.ts';

/** A weight by its Hugging Face name, without `.weight`. */
export type Weight = (name: string) => Tensor;

export interface Inputs {
  /** [N] int32. */
  tokens: Tensor;
  /** [N] int32: places inside the document, below the table's rows. */
  positions: Tensor;
  /** [positions, Q]: rope's cosines and sines. */
  table: Tensor;
}

/** A product with a weight by its name. */
export type Multiply = (x: Tensor, name: string) => Tensor;
type Attend = (layer: number, qkv: { q: Tensor; k: Tensor; v: Tensor }) => Tensor;

/** The model on B rows of T tokens, N = B·T. starts [N] int32: where each token's document begins in its row. Returns [N, C]. */
export function llama(config: ModelConfig, weight: Weight, inputs: Inputs & { starts: Tensor }, batch: number): Tensor {
  const heads = { heads: config.heads, groups: config.keyValueHeads, size: config.headSize };
  return stack(config, weight, inputs, (_, qkv) => attention({ ...qkv, starts: inputs.starts }, { batch, ...heads }).o);
}

/**
 * The same for N tokens of any slots of the caches (cachedAttention). slots [N] int32. `weight` gives the embedding's table and
 * the norms; how matrices lie is the caller's. Returns [N, C].
 */
export function llamaCached(
  config: ModelConfig,
  weight: Weight,
  multiply: Multiply,
  inputs: Inputs & { slots: Tensor },
  caches: readonly { keys: Tensor; values: Tensor }[],
): Tensor {
  const { slots, positions } = inputs;
  const heads = { heads: config.heads, groups: config.keyValueHeads, size: config.headSize };
  return stack(
    config,
    weight,
    inputs,
    (layer, qkv) => cachedAttention({ ...caches[layer]!, ...qkv, slots, positions }, heads).o,
    multiply,
  );
}

/** The weight of the head: the embedding where they are tied. */
export const headName = ({ head: kind, tiedEmbeddings }: ModelConfig): string =>
  kind === 'score' ? 'score' : tiedEmbeddings ? 'model.embed_tokens' : 'lm_head';

/** Hidden states [N, C] → logits [N, V], or scores [N, 1]. */
const head = (config: ModelConfig, weight: Weight, x: Tensor): Tensor => linear({ x, w: weight(headName(config)) }).y;

/**
 * What a training looks at, a value for each place whose target is 0 or above: −s · ln p of the target, or s · score.
 * x [N, C] · targets [N] int32 · scales [N] → [N] float64.
 */
export function outcome(
  config: ModelConfig,
  weight: Weight,
  x: Tensor,
  { targets, scales }: Record<'targets' | 'scales', Tensor>,
): Tensor {
  const y = head(config, weight, x);
  return config.head === 'score'
    ? score({ y, targets, scales }, { from: 0, to: y.shape[0]! }).loss
    : crossEntropy({ logits: y, targets, scales }).loss;
}

function stack(
  config: ModelConfig,
  weight: Weight,
  inputs: Inputs,
  attend: Attend,
  multiply: Multiply = (x, name) => linear({ x, w: weight(name) }).y,
): Tensor {
  const { tokens, positions, table } = inputs;
  const normed = (x: Tensor, name: string) => rmsnorm({ x, gamma: weight(name) }, { epsilon: config.normEpsilon }).y;
  const turned = (x: Tensor) => rope({ x, table, positions }, { size: config.headSize }).y;

  let x = embedding({ table: weight('model.embed_tokens'), ids: tokens }).y;
  for (let i = 0; i < config.layers; i++) {
    const by = (input: Tensor, name: string) => multiply(input, `model.layers.${i}.${name}`);

    const a = normed(x, `model.layers.${i}.input_layernorm`);
    const q = turned(by(a, 'self_attn.q_proj'));
    const k = turned(by(a, 'self_attn.k_proj'));
    const v = by(a, 'self_attn.v_proj');
    x = add({ a: x, b: by(attend(i, { q, k, v }), 'self_attn.o_proj') }).y;

    const m = normed(x, `model.layers.${i}.post_attention_layernorm`);
    const y = swiglu({ gate: by(m, 'mlp.gate_proj'), up: by(m, 'mlp.up_proj') }).y;
    x = add({ a: x, b: by(y, 'mlp.down_proj') }).y;
  }
  return normed(x, 'model.norm');
}
