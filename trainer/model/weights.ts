import { withAdapters } from '../lora/weights.ts';
import type { ModelConfig } from './config.ts';

/**
 * How a weight starts: around zero with the usual width, with the narrower one of a branch's end, or at one; of adapters
 * evenly within ±1/√in (Kaiming, as PEFT does it), at zero, or as the rows of a table are.
 */
export type Start = 'normal' | 'residual' | 'one' | 'uniform' | 'zero' | 'table';

export interface WeightSpec {
  name: string;
  shape: number[];
  /** Weight decay: on matrices and the embedding, not on norms, as nanoGPT and llm.c do (Llama's own code decays all). */
  decay: boolean;
  start: Start;
  /** It takes no gradient. */
  frozen?: true;
}

/**
 * Every weight with Hugging Face's Llama names, matrices [out, in]. In the order of the arena: what decays first, then
 * what does not; `lm_head.weight` is absent where embeddings are tied, `score.weight` stands for it under a scalar head;
 * adapters come last.
 */
export function weightsOf(c: ModelConfig): WeightSpec[] {
  const matrix = (name: string, out: number, width: number, start: Start = 'normal'): WeightSpec => ({
    name: `${name}.weight`,
    shape: [out, width],
    decay: true,
    start,
  });
  const norm = (name: string): WeightSpec => ({ name: `${name}.weight`, shape: [c.width], decay: false, start: 'one' });
  const headOf = ({ head, tiedEmbeddings }: ModelConfig) =>
    head === 'score' ? [matrix('score', 1, c.width)] : tiedEmbeddings ? [] : [matrix('lm_head', c.vocabulary, c.width)];
  const layers = Array.from({ length: c.layers }, (_, i) => `model.layers.${i}`);
  const attention = c.heads * c.headSize;
  const keyValue = c.keyValueHeads * c.headSize;
  const base = [
    matrix('model.embed_tokens', c.vocabulary, c.width),
    ...layers.flatMap((layer) => [
      matrix(`${layer}.self_attn.q_proj`, attention, c.width),
      matrix(`${layer}.self_attn.k_proj`, keyValue, c.width),
      matrix(`${layer}.self_attn.v_proj`, keyValue, c.width),
      matrix(`${layer}.self_attn.o_proj`, c.width, attention, 'residual'),
      matrix(`${layer}.mlp.gate_proj`, c.feedForward, c.width),
      matrix(`${layer}.mlp.up_proj`, c.feedForward, c.width),
      matrix(`${layer}.mlp.down_proj`, c.width, c.feedForward, 'residual'),
    ]),
    ...headOf(c),
    ...layers.flatMap((layer) => [norm(`${layer}.input_layernorm`), norm(`${layer}.post_attention_layernorm`)]),
    norm('model.norm'),
  ];
  return c.lora ? withAdapters(base, c.lora) : base;
}
