import { defineKernel, defineOp, expectShape } from '../define.ts';
import * as reference from './reference.ts';

const forward = defineKernel({
  name: 'cross_entropy_forward',
  tensors: { loss: 'write', lse: 'write', logits: 'read', targets: 'read', scales: 'read' },
  numbers: ['rows', 'vocabulary'],
  reference: reference.forward,
});
const backward = defineKernel({
  name: 'cross_entropy_backward',
  tensors: { dlogits: 'write', logits: 'read', lse: 'read', targets: 'read', scales: 'read' },
  numbers: ['rows', 'vocabulary', 'first'],
  reference: reference.backward,
});
const part = defineKernel({
  name: 'cross_entropy_part',
  tensors: { sums: 'write', logits: 'read', targets: 'read' },
  numbers: ['rows', 'vocabulary', 'first'],
  reference: reference.part,
});
const join = defineKernel({
  name: 'cross_entropy_join',
  tensors: { loss: 'write', lse: 'write', sums: 'read', targets: 'read', scales: 'read' },
  numbers: ['rows', 'parts'],
  reference: reference.join,
});

/**
 * −s · ln softmax(z)_y of each row, in nats; a target of −1 takes no loss and gets no gradient. Ends a program: the gradient
 * of every loss is 1, and that of the logits is written over them, so that no second [N, V] exists.
 * logits [N, V] · targets [N] int32 · scales [N] → loss [N] float64, lse [N] (kept for backward).
 */
export const crossEntropy = defineOp({
  name: 'cross_entropy',
  source: 'karpathy/llm.c, fused_classifier',
  inputs: ['logits', 'targets', 'scales'],
  outputs: ({ logits, targets, scales }) => {
    expectShape('cross_entropy', 'targets', targets.shape, [logits.shape[0]!], '[N]');
    expectShape('cross_entropy', 'scales', scales.shape, [logits.shape[0]!], '[N]');
    return { loss: { shape: targets.shape, type: 'f64' }, lse: { shape: targets.shape } };
  },
  forward: ({ loss, lse, logits, targets, scales }) => [
    forward({ loss, lse, logits, targets, scales }, sizes(logits.shape)),
  ],
  backward: ({ lse, logits, targets, scales }, _, g) => {
    const dlogits = { ...logits, name: 'cross_entropy.logits.gradient', over: logits };
    return [
      backward({ dlogits, logits, lse, targets, scales }, { ...sizes(logits.shape), first: 0 }),
      ...g.pass('logits', dlogits),
    ];
  },
});

/**
 * The first half where logits has only the columns `first` … first + V − 1 of all: what one part knows of each row.
 * logits [N, V] · targets [N] int32, of all columns → sums [1, N, 3]: greatest logit, Σ exp(z − greatest), logit of the
 * target or 0. Its gradient comes with the second half. Source: Shoeybi et al. 2019, arXiv:1909.08053, section 3.
 */
export const crossEntropyPart = defineOp({
  name: 'cross_entropy_part',
  source: 'arXiv:1909.08053',
  inputs: ['logits', 'targets'],
  outputs: ({ logits }) => ({ sums: { shape: [1, logits.shape[0]!, 3] } }),
  forward: ({ sums, logits, targets }, { first }: { first: number }) => [
    part({ sums, logits, targets }, { ...sizes(logits.shape), first }),
  ],
});

/**
 * The second half, from the sums of all P parts one after the other: sums [P, N, 3] · scales [N] → loss [N] float64, lse [N].
 * The gradient of this part's logits is written over them.
 */
export const crossEntropyJoin = defineOp({
  name: 'cross_entropy_join',
  source: 'arXiv:1909.08053',
  inputs: ['sums', 'logits', 'targets', 'scales'],
  outputs: ({ targets }) => ({ loss: { shape: targets.shape, type: 'f64' }, lse: { shape: targets.shape } }),
  forward: ({ loss, lse, sums, targets, scales }) => [
    join({ loss, lse, sums, targets, scales }, { rows: targets.shape[0]!, parts: sums.shape[0]! }),
  ],
  backward: ({ lse, logits, targets, scales }, { first }: { first: number }, g) => {
    const dlogits = { ...logits, name: 'cross_entropy.logits.gradient', over: logits };
    return [
      backward({ dlogits, logits, lse, targets, scales }, { ...sizes(logits.shape), first }),
      ...g.pass('logits', dlogits),
    ];
  },
});

const sizes = (logits: readonly number[]) => ({ rows: logits[0]!, vocabulary: logits[1]! });
