import { GarnerError } from '../../core/errors.ts';
import type { Lora } from '../lora/lora.ts';

/** A Llama-style model; Hugging Face's config.json in garner's words. All counts, no units. */
export interface ModelConfig {
  architecture: 'llama';
  vocabulary: number;
  layers: number;
  width: number;
  heads: number;
  keyValueHeads: number;
  headSize: number;
  feedForward: number;
  context: number;
  ropeTheta: number;
  normEpsilon: number;
  tiedEmbeddings: boolean;
  /** What stands on the last norm where it is not the head of tokens: a scalar (reward and value models); never tied. */
  head?: 'score';
  /** Adapters beside the weights, which are frozen then. */
  lora?: Lora;
}

/** Throws a GarnerError where a model of this shape cannot be built. */
export function checkConfig(config: ModelConfig): void {
  const wrong = (what: string, hint?: string): never => {
    throw new GarnerError({ what: `model: ${what}`, hint, fault: 2 });
  };
  if (config.architecture !== 'llama')
    wrong(`architecture "${String(config.architecture)}" is not known`, 'it must be "llama"');
  const counts = [
    'vocabulary',
    'layers',
    'width',
    'heads',
    'keyValueHeads',
    'headSize',
    'feedForward',
    'context',
  ] as const;
  for (const key of counts)
    if (!Number.isInteger(config[key]) || config[key] < 1 || config[key] > 2 ** 24)
      wrong(`${key} is ${config[key]}, a whole number from 1 to ${2 ** 24} is needed`);
  if (config.heads % config.keyValueHeads !== 0)
    wrong(
      `${config.heads} heads cannot share ${config.keyValueHeads} key/value heads`,
      'keyValueHeads must divide heads',
    );
  if (config.headSize % 2 !== 0) wrong(`headSize is ${config.headSize}, rotary positions need an even one`);
  if (config.head === 'score' && config.tiedEmbeddings) wrong('a scalar head has nothing to tie to');
  const { lora } = config;
  if (lora && !(Number.isInteger(lora.rank) && lora.rank > 0 && lora.alpha > 0))
    wrong(`an adapter of rank ${lora.rank} and alpha ${lora.alpha}`);
  if (lora?.rows.some((id) => id >= config.vocabulary))
    wrong(`row ${Math.max(...lora.rows)} of ${config.vocabulary} is to be trained`);
  if (!(config.ropeTheta > 0)) wrong(`ropeTheta is ${config.ropeTheta}, it must be above 0`);
  if (!(config.normEpsilon >= 0)) wrong(`normEpsilon is ${config.normEpsilon}, it must not be below 0`);
}

/** The same model with a scalar head. */
export const scoring = (config: ModelConfig): ModelConfig => ({ ...config, tiedEmbeddings: false, head: 'score' });

/**
 * The shape that follows from a depth: width 64 a layer, heads of 64, a feed-forward of 8/3 of the width rounded up to
 * 64 (as many parameters as a plain one of 4 times the width), tied embeddings. `more` overrides any of it.
 */
export function configOfDepth(
  depth: number,
  more: Partial<ModelConfig> & Pick<ModelConfig, 'vocabulary' | 'context'>,
): ModelConfig {
  const width = more.width ?? 64 * depth;
  const headSize = more.headSize ?? (width % 64 === 0 ? 64 : width);
  const heads = more.heads ?? Math.max(1, Math.floor(width / headSize));
  return {
    architecture: 'llama',
    layers: depth,
    width,
    heads,
    keyValueHeads: heads,
    headSize,
    feedForward: Math.ceil((8 * width) / 3 / 64) * 64,
    ropeTheta: 10000,
    normEpsilon: 1e-5,
    tiedEmbeddings: true,
    ...more,
  };
}
