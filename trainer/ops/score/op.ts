import { defineKernel, defineOp, expectShape, type Tensor } from '../define.ts';
import * as reference from './reference.ts';

const forward = defineKernel({
  name: 'score_forward',
  tensors: { loss: 'write', y: 'read', targets: 'read', scales: 'read' },
  numbers: ['rows'],
  reference: reference.forward,
});
const backward = defineKernel({
  name: 'score_backward',
  tensors: { dy: 'write', targets: 'read', scales: 'read' },
  numbers: ['rows', 'from', 'to'],
  reference: reference.backward,
});

/** Rows whose gradient is given: all, but where ranks give each a share of them. */
export interface ScoreRows {
  from: number;
  to: number;
}

/**
 * What a scalar head says at the places that are asked for: s · y where the target is 0 or above, else 0. Ends a program as a
 * loss does: the gradient of every value is 1. y [N, 1] · targets [N] int32 · scales [N] → loss [N] float64.
 */
export const score = defineOp({
  name: 'score',
  source: 'Transformers, LlamaForSequenceClassification',
  inputs: ['y', 'targets', 'scales'],
  outputs: ({ y, targets, scales }) => {
    expectShape('score', 'y', y.shape, [targets.shape[0]!, 1], '[N, 1]');
    expectShape('score', 'scales', scales.shape, targets.shape, '[N]');
    return { loss: { shape: targets.shape, type: 'f64' } };
  },
  forward: ({ loss, y, targets, scales }) => [forward({ loss, y, targets, scales }, { rows: targets.shape[0]! })],
  backward: ({ y, targets, scales }, { from, to }: ScoreRows, g) => {
    const dy: Tensor = { name: 'score.y.gradient', shape: y.shape, type: 'f32', zone: 'activations' };
    return [backward({ dy, targets, scales }, { rows: targets.shape[0]!, from, to }), ...g.pass('y', dy)];
  },
});
