import type { ModelConfig } from '../model/config.ts';
import { llama, outcome } from '../model/llama.ts';
import { weightsOf } from '../model/weights.ts';
import { sizeOf, type ElementType, type Shape, type Tensor, type Zone } from '../ops/define.ts';
import { updateCalls, updateTensors } from '../optimizer/adamw.ts';
import { differentiate } from '../program/differentiate.ts';
import type { Program } from '../program/plan.ts';
import { record } from '../program/record.ts';

/** The tensors of the fixed zones: they keep their place from step to step. */
export interface Fixed {
  weights: Tensor[];
  /** Of the weights, in the same order. */
  gradients: Tensor[];
  inputs: Record<'tokens' | 'targets' | 'scales' | 'positions' | 'starts' | 'table' | 'hyper' | 'norm', Tensor>;
  /** The zones as one array each. */
  whole: Record<'weight' | 'gradient' | 'first' | 'second', Tensor>;
}

export interface TrainingPrograms {
  fixed: Fixed;
  /** Forward and backward: adds to the gradients. */
  learn: Program & { loss: Tensor };
  /** Forward only. */
  judge: Program & { loss: Tensor };
  /** Norm, clipping, AdamW. */
  update: Program;
}

const tensor = (name: string, shape: Shape, zone: Zone, type: ElementType = 'f32'): Tensor => ({
  name,
  shape,
  type,
  zone,
});

/** Records everything that training a model runs, for micro-batches of `batch` rows of `sequence` tokens. */
export function trainingPrograms(config: ModelConfig, batch: number, sequence: number): TrainingPrograms {
  const specs = weightsOf(config);
  const weights = specs.map(({ name, shape }) => tensor(name, shape, 'weights'));
  const gradients = specs.map(({ name, shape }) => tensor(`${name}.gradient`, shape, 'gradients'));
  const size = weights.reduce((n, w) => n + sizeOf(w.shape), 0);
  const rows = batch * sequence;
  const inputs: Fixed['inputs'] = {
    tokens: tensor('tokens', [rows], 'inputs', 'i32'),
    targets: tensor('targets', [rows], 'inputs', 'i32'),
    scales: tensor('scales', [rows], 'inputs'),
    positions: tensor('positions', [rows], 'inputs', 'i32'),
    starts: tensor('starts', [rows], 'inputs', 'i32'),
    table: tensor('table', [sequence, config.headSize], 'inputs'),
    ...updateTensors(size),
  };
  const whole: Fixed['whole'] = {
    weight: tensor('weights', [size], 'weights'),
    gradient: tensor('gradients', [size], 'gradients'),
    first: tensor('first moments', [size], 'optimizer'),
    second: tensor('second moments', [size], 'optimizer'),
  };

  const byName = new Map(weights.map((w) => [w.name, w]));
  const weight = (name: string) => byName.get(`${name}.weight`)!;
  const forward = () => outcome(config, weight, llama(config, weight, inputs, batch), inputs);
  const learned = record(forward);
  const { calls } = differentiate(learned.tape, { weightGradient: (w) => gradients[weights.indexOf(w)]! });
  const judged = record(forward);
  const decayed = specs.reduce((n, { shape, decay }) => n + (decay ? sizeOf(shape) : 0), 0);
  return {
    fixed: { weights, gradients, inputs, whole },
    learn: { calls: [...learned.tape.calls, ...calls], keep: [learned.result], loss: learned.result },
    judge: { calls: judged.tape.calls, keep: [judged.result], loss: judged.result },
    update: { calls: updateCalls(whole, inputs, { size, decayed }), keep: [] },
  };
}
