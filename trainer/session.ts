import { GarnerError } from '../core/errors.ts';
import { openEngine } from './engines/open.ts';
import { checkConfig, type ModelConfig } from './model/config.ts';
import { initialise } from './model/initialise.ts';
import { weightsOf } from './model/weights.ts';
import type { Numbers, Tensor } from './ops/define.ts';
import { setUpdate, type UpdateOptions } from './optimizer/adamw.ts';
import { fillTable } from './ops/rope/reference.ts';
import { layOut, plan } from './program/plan.ts';
import { bind, reserveArena, viewOf } from './program/replay.ts';
import { trainingPrograms } from './session/programs.ts';
import { sumLosses, takeRows } from './session/rows.ts';

export type { ModelConfig } from './model/config.ts';
export type { UpdateOptions } from './optimizer/adamw.ts';
export { openDecoder, type Decoder } from './session/decoder.ts';

export interface SessionOptions {
  /** Rows of a micro-batch. */
  batch: number;
  /** Tokens of a row. */
  sequence: number;
  threads: number;
  engine: 'cpu' | 'reference';
  seed: number;
}

export interface NamedTensor {
  name: string;
  shape: number[];
  weight: Float32Array;
  gradient: Float32Array;
  /** Whether weight decay applies. */
  decay: boolean;
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

/**
 * Plans a model's arena, fills the weights from the seed and records its programs: forward and backward, forward alone,
 * and the update. Each method then is one replay and allocates nothing. Throws a GarnerError on a shape that cannot be.
 */
export function openSession(config: ModelConfig, options: SessionOptions): TrainingSession {
  checkConfig(config);
  const { batch, sequence, threads } = options;
  if (!(Number.isInteger(batch) && batch > 0 && Number.isInteger(sequence) && sequence > 0))
    throw new GarnerError({ what: `a micro-batch of ${batch} × ${sequence} tokens cannot be trained`, fault: 2 });
  if (sequence > config.context)
    throw new GarnerError({
      what: `rows of ${sequence} tokens are longer than the model's context of ${config.context}`,
      hint: 'shorten the rows or raise the context',
      fault: 2,
    });

  const { fixed, learn, judge, update } = trainingPrograms(config, batch, sequence);
  const plans = { learn: plan(learn), judge: plan(judge), update: plan(update) };
  const engine = openEngine(options.engine, threads);

  const places = new Map<Tensor, number>();
  const { weight, gradient, first, second } = fixed.whole;
  const bytes = {
    weights: layOut(fixed.weights, 4, places, false),
    gradients: layOut(fixed.gradients, 4, places, false),
    optimizer: layOut([first, second], 4, places, true),
    inputs: layOut(Object.values(fixed.inputs), 4, places, true),
    activations: Math.max(plans.learn.activations, plans.judge.activations),
  };
  places.set(weight, 0).set(gradient, 0);
  const arena = reserveArena(engine, bytes, places);
  const view = <T extends Numbers>(tensor: Tensor) => viewOf(tensor, arena, plans.learn) as T;
  const inputs = {
    tokens: view<Int32Array>(fixed.inputs.tokens),
    targets: view<Int32Array>(fixed.inputs.targets),
    scales: view<Float32Array>(fixed.inputs.scales),
    positions: view<Int32Array>(fixed.inputs.positions),
    starts: view<Int32Array>(fixed.inputs.starts),
    hyper: view<Float64Array>(fixed.inputs.hyper),
    norm: view<Float64Array>(fixed.inputs.norm),
  };
  const losses = {
    learn: viewOf(learn.loss, arena, plans.learn),
    judge: viewOf(judge.loss, arena, plans.judge),
  };
  const run = {
    learn: bind(learn, plans.learn, arena, engine),
    judge: bind(judge, plans.judge, arena, engine),
    update: bind(update, plans.update, arena, engine),
  };
  fillTable(view(fixed.inputs.table), sequence, config.headSize, config.ropeTheta);

  const specs = weightsOf(config);
  const tensors = specs.map(({ name, shape, decay }, i) => ({
    name,
    shape,
    decay,
    weight: view<Float32Array>(fixed.weights[i]!),
    gradient: view<Float32Array>(fixed.gradients[i]!),
  }));
  const named = new Map(tensors.map((t) => [t.name, t.weight]));
  initialise(config, options.seed, (name) => named.get(name)!);
  const zones = {
    weights: view<Float32Array>(weight),
    gradients: view<Float32Array>(gradient),
    moments: { first: view<Float32Array>(first), second: view<Float32Array>(second) },
  };

  const pass = (which: 'learn' | 'judge', tokens: Int32Array, targets: Int32Array, documents?: Int32Array) => {
    takeRows(inputs, { tokens, targets, documents }, config.vocabulary, sequence);
    run[which]();
    return sumLosses(losses[which], targets);
  };

  return {
    config,
    parameters: zones.weights.length,
    tensors,
    ...zones,
    zeroGradients: () => void zones.gradients.fill(0),
    forwardBackward: (tokens, targets, documents) => pass('learn', tokens, targets, documents),
    evaluate: (tokens, targets, documents) => pass('judge', tokens, targets, documents),
    update(what) {
      setUpdate(inputs.hyper, what);
      run.update();
      return { gradientNorm: inputs.norm[0]! * Math.abs(what.gradientScale) };
    },
    memory: () => ({
      weights: bytes.weights,
      gradients: bytes.gradients,
      optimizer: bytes.optimizer,
      activations: bytes.activations + bytes.inputs + engine.scratchBytes(),
    }),
    close: () => engine.close(),
  };
}
