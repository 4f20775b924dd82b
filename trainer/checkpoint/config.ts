import { readFileSync } from 'node:fs';
import { explainSystemError, GarnerError } from '../../core/errors.ts';
import { scoring, type ModelConfig } from '../model/config.ts';

const GENERATES = 'LlamaForCausalLM';
const CLASSIFIES = 'LlamaForSequenceClassification';

/** config.json as Hugging Face's `LlamaForCausalLM` reads it, or under a scalar head `LlamaForSequenceClassification`. */
export function toHuggingFace(config: ModelConfig, end: number): Record<string, unknown> {
  const scores = config.head === 'score';
  return {
    architectures: [scores ? CLASSIFIES : GENERATES],
    ...(scores ? { num_labels: 1, id2label: { 0: 'LABEL_0' }, label2id: { LABEL_0: 0 }, pad_token_id: end } : {}),
    attention_bias: false,
    attention_dropout: 0,
    bos_token_id: end,
    eos_token_id: end,
    head_dim: config.headSize,
    hidden_act: 'silu',
    hidden_size: config.width,
    initializer_range: 0.02,
    intermediate_size: config.feedForward,
    max_position_embeddings: config.context,
    mlp_bias: false,
    model_type: 'llama',
    num_attention_heads: config.heads,
    num_hidden_layers: config.layers,
    num_key_value_heads: config.keyValueHeads,
    rms_norm_eps: config.normEpsilon,
    rope_scaling: null,
    rope_theta: config.ropeTheta,
    tie_word_embeddings: config.tiedEmbeddings,
    torch_dtype: 'float32',
    use_cache: true,
    vocab_size: config.vocabulary,
  };
}

/** Reads a config.json of the Llama family. Throws a GarnerError that names the key that is missing or not supported. */
export function readConfig(path: string): ModelConfig {
  let keys: Record<string, unknown>;
  try {
    keys = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
  } catch (error) {
    if (error instanceof SyntaxError) throw new GarnerError({ what: 'this is no JSON', where: path, fault: 2 }, error);
    throw explainSystemError(error, path);
  }
  return fromHuggingFace(path, Object(keys) as Record<string, unknown>);
}

/** The same for keys in hand; `path` is where they stand. */
export function fromHuggingFace(path: string, keys: Record<string, unknown>): ModelConfig {
  const refuse = (what: string): never => {
    throw new GarnerError({ what, where: path, hint: 'garner reads models of the Llama family', fault: 2 });
  };
  const count = (key: string, otherwise?: number): number => {
    const value = keys[key] ?? otherwise;
    return Number.isSafeInteger(value) && (value as number) > 0
      ? (value as number)
      : refuse(`${key} is ${JSON.stringify(keys[key])}: a whole number above 0 is expected`);
  };
  const real = (key: string, otherwise: number): number => {
    const value = keys[key] ?? otherwise;
    return typeof value === 'number' && value > 0
      ? value
      : refuse(`${key} is ${JSON.stringify(keys[key])}: a number above 0 is expected`);
  };
  const family = (keys['architectures'] as string[] | undefined)?.[0] ?? keys['model_type'];
  if (family !== GENERATES && family !== CLASSIFIES && family !== 'llama')
    return refuse(`the architecture is ${JSON.stringify(family)}`);
  if ((keys['hidden_act'] ?? 'silu') !== 'silu') return refuse(`hidden_act is ${JSON.stringify(keys['hidden_act'])}`);
  for (const key of ['attention_bias', 'mlp_bias', 'rope_scaling'])
    if (keys[key]) return refuse(`${key} is ${JSON.stringify(keys[key])}: it is not supported`);
  const width = count('hidden_size');
  const heads = count('num_attention_heads');
  if (family === CLASSIFIES && Object.keys(Object(keys['id2label'] ?? { 0: '' }) as object).length !== 1)
    return refuse('the head has more than one label');
  const model: ModelConfig = {
    architecture: 'llama',
    vocabulary: count('vocab_size'),
    layers: count('num_hidden_layers'),
    width,
    heads,
    keyValueHeads: count('num_key_value_heads', heads),
    headSize: count('head_dim', width / heads),
    feedForward: count('intermediate_size'),
    context: count('max_position_embeddings', 2048),
    ropeTheta: real('rope_theta', 10_000),
    normEpsilon: real('rms_norm_eps', 1e-6),
    tiedEmbeddings: keys['tie_word_embeddings'] === true,
  };
  return family === CLASSIFIES ? scoring(model) : model;
}
