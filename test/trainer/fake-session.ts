import { openBatch, type Batch } from '../../trainer/loader/samples.ts';
import type { Fill, Kind, Learner, Weigh } from '../../trainer/parallel/learner.ts';
import type { LearnerOptions } from '../../trainer/parallel/open.ts';
import type { Decoder, ModelConfig } from '../../trainer/session.ts';

/**
 * A bigram model as a learner on one rank: logits of the next token are a row of one [V, V] matrix. Small, exact, and all that
 * a loop, a checkpoint and a sampler need to be tested against. Moments and update are those of the real one.
 */
export function openBigram(config: ModelConfig, options: LearnerOptions): Learner {
  const V = config.vocabulary;
  const weights = new Float32Array(V * V);
  let state = options.seed + 1;
  for (let i = 0; i < weights.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    weights[i] = (state / 2 ** 32 - 0.5) * 0.1;
  }
  const gradients = new Float32Array(V * V);
  const first = new Float32Array(V * V);
  const second = new Float32Array(V * V);
  const p = new Float64Array(V);
  const batch = openBatch(options.batch, options.sequence, options.documents);
  const values = new Float64Array(options.batch * options.sequence);
  const pass = ({ tokens, targets, scales }: Batch, learn: boolean) => {
    values.fill(0);
    let lossSum = 0;
    let count = 0;
    for (let i = 0; i < tokens.length; i++) {
      const target = targets[i]!;
      if (target < 0) continue;
      const row = tokens[i]! * V;
      let sum = 0;
      for (let v = 0; v < V; v++) sum += p[v] = Math.exp(weights[row + v]!);
      values[i] = -Math.log(p[target]! / sum);
      lossSum += scales[i]! * values[i]!;
      count++;
      if (learn)
        for (let v = 0; v < V; v++)
          gradients[row + v] = gradients[row + v]! + scales[i]! * (p[v]! / sum - (v === target ? 1 : 0));
    }
    return { lossSum, tokens: count };
  };
  const all = (slots: number, fill: Fill, learn: boolean, weigh?: Weigh) => {
    const sum = { lossSum: 0, tokens: 0 };
    for (let slot = 0; slot < slots; slot++) {
      batch.scales.fill(1);
      fill(slot, batch);
      if (weigh) {
        batch.scales.fill(1);
        pass(batch, false);
        weigh(slot, values, batch.scales);
      }
      const { lossSum, tokens } = pass(batch, learn);
      sum.lossSum += lossSum;
      sum.tokens += tokens;
    }
    return sum;
  };
  const whole: Record<Kind, Float32Array> = { weight: weights, first, second };
  return {
    config,
    parameters: V * V,
    tensors: [{ name: 'model.embed_tokens.weight', shape: [V, V], trained: true }],
    accumulate(slots, fill, weigh) {
      gradients.fill(0);
      return all(slots, fill, true, weigh);
    },
    values(slots, fill, each) {
      for (let slot = 0; slot < slots; slot++) {
        all(1, (_, into) => fill(slot, into), false);
        each(slot, values);
      }
    },
    sum: (numbers) => Float64Array.from(numbers),
    evaluate: (slots, fill) => all(slots, fill, false),
    update(o) {
      let square = 0;
      for (const g of gradients) square += (g * o.gradientScale) ** 2;
      const norm = Math.sqrt(square);
      if (!Number.isFinite(norm)) return { gradientNorm: norm };
      const scale = o.gradientScale * Math.min(1, o.clip / norm);
      for (let i = 0; i < weights.length; i++) {
        const g = gradients[i]! * scale;
        first[i] = o.beta1 * first[i]! + (1 - o.beta1) * g;
        second[i] = o.beta2 * second[i]! + (1 - o.beta2) * g * g;
        const m = first[i]! / (1 - o.beta1 ** o.step);
        const v = second[i]! / (1 - o.beta2 ** o.step);
        weights[i] = weights[i]! - o.learningRate * (m / (Math.sqrt(v) + o.epsilon) + o.weightDecay * weights[i]!);
      }
      return { gradientNorm: norm };
    },
    collect: (_, kind) => whole[kind],
    place: (_, kind, tensor) => whole[kind].set(tensor),
    memory: () => ({ weights: 4 * V * V, gradients: 4 * V * V, optimizer: 8 * V * V, activations: 0 }),
    close() {},
  };
}

/** The same model as a decoder: the logits after the last token. */
export function openBigramDecoder(
  config: ModelConfig,
  weights: (name: string) => Float32Array,
  { length }: { length: number },
): Decoder {
  const matrix = weights('model.embed_tokens.weight');
  return {
    length,
    reset() {},
    close() {},
    feed(tokens) {
      const last = tokens.at(-1)!;
      return matrix.slice(last * config.vocabulary, (last + 1) * config.vocabulary);
    },
  };
}

/** The configuration of a bigram model over `vocabulary` tokens. */
export const bigramConfig = (vocabulary: number): ModelConfig => ({
  architecture: 'llama',
  vocabulary,
  layers: 1,
  width: vocabulary,
  heads: 1,
  keyValueHeads: 1,
  headSize: vocabulary,
  feedForward: 1,
  context: 64,
  ropeTheta: 10_000,
  normEpsilon: 1e-5,
  tiedEmbeddings: true,
});
