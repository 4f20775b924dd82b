import { defineKernel, defineOp, expectShape } from '../define.ts';
import * as reference from './reference.ts';

const forward = defineKernel({
  name: 'cross_entropy_forward',
  tensors: { loss: 'write', lse: 'write', logits: 'read', targets: 'read' },
  numbers: ['rows', 'vocabulary'],
  reference: reference.forward,
});
const backward = defineKernel({
  name: 'cross_entropy_backward',
  tensors: { dlogits: 'write', logits: 'read', lse: 'read', targets: 'read' },
  numbers: ['rows', 'vocabulary'],
  reference: reference.backward,
});

/**
 * −ln softmax(z)_y of each row, in nats; a target of −1 takes no loss and gets no gradient. Ends a program: the gradient
 * of every loss is 1, and that of the logits is written over them, so that no second [N, V] exists.
 * logits [N, V] · targets [N] int32 → loss [N] float64, lse [N] (kept for backward).
 */
export const crossEntropy = defineOp({
  name: 'cross_entropy',
  source: 'karpathy/llm.c, fused_classifier',
  inputs: ['logits', 'targets'],
  outputs: ({ logits, targets }) => {
    expectShape('cross_entropy', 'targets', targets.shape, [logits.shape[0]!], '[N]');
    return { loss: { shape: targets.shape, type: 'f64' }, lse: { shape: targets.shape } };
  },
  forward: ({ loss, lse, logits, targets }) => [forward({ loss, lse, logits, targets }, sizes(logits.shape))],
  backward: ({ lse, logits, targets }, _, g) => {
    const dlogits = { ...logits, name: 'cross_entropy.logits.gradient', over: logits };
    return [backward({ dlogits, logits, lse, targets }, sizes(logits.shape)), ...g.pass('logits', dlogits)];
  },
});

const sizes = (logits: readonly number[]) => ({ rows: logits[0]!, vocabulary: logits[1]! });
