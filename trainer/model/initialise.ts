import type { ModelConfig } from './config.ts';
import { fillNormal, fillUniform } from './philox.ts';
import { weightsOf, type WeightSpec } from './weights.ts';

const DEVIATION = 0.02;

/**
 * Fills the weights: N(0, 0.02), the ends of residual branches N(0, 0.02/√(2L)), norms 1 (GPT-2's scheme; the loss starts
 * at ln V). The same numbers from a seed on every engine, whatever the order of tensors: a stream is named by its tensor.
 */
export function initialise(config: ModelConfig, seed: number, weight: (name: string) => Float32Array): void {
  for (const spec of weightsOf(config)) startWeight(spec, config, seed, weight(spec.name));
}

/** One of them, whole. */
export function startWeight(
  { name, shape, start }: WeightSpec,
  config: ModelConfig,
  seed: number,
  into: Float32Array,
): void {
  if (start === 'zero' || start === 'table') return void into.fill(0);
  if (start === 'uniform') return fillUniform(into, 1 / Math.sqrt(shape[1]!), seed, streamOf(name));
  const deviation = start === 'normal' ? DEVIATION : DEVIATION / Math.sqrt(2 * config.layers);
  if (start === 'one') into.fill(1);
  else fillNormal(into, deviation, seed, streamOf(name));
}

/** FNV-1a of a name, 32 bits. */
function streamOf(name: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  return hash;
}
