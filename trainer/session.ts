/** A Llama-style model; Hugging Face's config.json in garner's words (training.md §1.1). All counts, no units. */
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
}

export interface SessionOptions {
  /** Rows of a micro-batch. */
  batch: number;
  /** Tokens of a row. */
  sequence: number;
  threads: number;
  engine: 'cpu' | 'reference';
  seed: number;
  /** Where gradients shall lie: a shared mapping for ranks on one host. */
  gradients?: Float32Array;
}

export interface NamedTensor {
  name: string;
  shape: number[];
  weight: Float32Array;
  gradient: Float32Array;
  /** Whether weight decay applies. */
  decay: boolean;
}

export interface UpdateOptions {
  /** Counts from 1. */
  step: number;
  learningRate: number;
  /** Multiplies every gradient first: 1 / trained tokens makes the mean of losses out of their sum. */
  gradientScale: number;
  /** The greatest global norm; Infinity never clips. */
  clip: number;
  beta1: number;
  beta2: number;
  epsilon: number;
  weightDecay: number;
}

export interface TrainingSession {
  config: ModelConfig;
  parameters: number;
  /** Hugging Face's Llama names; weights and gradients are views of the arena. */
  tensors: readonly NamedTensor[];
  /** Whole zones, contiguous, in the order of `tensors`. */
  weights: Float32Array;
  gradients: Float32Array;
  moments: { first: Float32Array; second: Float32Array };
  zeroGradients(): void;
  /**
   * tokens, targets [batch × sequence]; target −1 takes no loss; documents [batch × sequence]: numbers of the documents
   * in a row, attention and positions stay inside one. Adds the gradient of the SUM of losses to `gradients`.
   * Returns the sum of losses (nats, float64) and the number of trained tokens.
   */
  forwardBackward(tokens: Int32Array, targets: Int32Array, documents?: Int32Array): { lossSum: number; tokens: number };
  evaluate(tokens: Int32Array, targets: Int32Array, documents?: Int32Array): { lossSum: number; tokens: number };
  /** Gradient × gradientScale, global norm, clip, AdamW. Returns the norm before clipping; not finite: nothing is changed. */
  update(options: UpdateOptions): { gradientNorm: number };
  /** Bytes. */
  memory(): Record<'weights' | 'gradients' | 'optimizer' | 'activations', number>;
  close(): void;
}

/** Plans a model's arena, fills the weights from the seed and records its programs. Throws GarnerError on a bad shape. */
export function openSession(config: ModelConfig, options: SessionOptions): TrainingSession {
  throw new Error(`not there yet: ${config.architecture} ${options.engine}`);
}

export interface Decoder {
  reset(): void;
  /** Logits [vocabulary] after these tokens; a view that the next call overwrites. */
  feed(tokens: readonly number[]): Float32Array;
  length: number;
}

/** A model with a cache of keys and values, for sampling. `weights` gives a tensor by its Hugging Face name. */
export function openDecoder(
  config: ModelConfig,
  weights: (name: string) => Float32Array,
  options: { length: number; threads: number; engine: 'cpu' | 'reference' },
): Decoder {
  throw new Error(`not there yet: ${config.architecture} ${options.engine} ${weights.length}`);
}
