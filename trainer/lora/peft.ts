import { rowsOf, type Lora } from './lora.ts';

/** Where PEFT looks for the tensors of a model that it has wrapped. */
const PREFIX = 'base_model.model.';

/** The name of a trained tensor in adapter_model.safetensors. */
export const peftName = (name: string): string => `${PREFIX}${name}`;

/**
 * adapter_config.json as PEFT reads it (0.15 and above where rows of the embedding are trained). Names no base: the folder may
 * lie anywhere, and PeftModel.from_pretrained is given the base in hand.
 */
export function peftConfig(lora: Lora, tied: boolean): Record<string, unknown> {
  const tables = tied ? ['embed_tokens'] : ['embed_tokens', 'lm_head'];
  const trainsRows = rowsOf('model.embed_tokens.weight', lora) !== null;
  return {
    base_model_name_or_path: null,
    bias: 'none',
    fan_in_fan_out: false,
    inference_mode: true,
    init_lora_weights: true,
    lora_alpha: lora.alpha,
    lora_dropout: 0,
    modules_to_save: null,
    peft_type: 'LORA',
    r: lora.rank,
    target_modules: lora.targets,
    task_type: 'CAUSAL_LM',
    trainable_token_indices: trainsRows ? Object.fromEntries(tables.map((t) => [t, lora.rows])) : null,
    use_dora: false,
    use_rslora: false,
  };
}
