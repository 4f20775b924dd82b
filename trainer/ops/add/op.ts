import { defineKernel, defineOp, expectShape, sizeOf } from '../define.ts';
import * as reference from './reference.ts';

const forward = defineKernel({
  name: 'add_forward',
  tensors: { y: 'write', a: 'read', b: 'read' },
  numbers: ['size'],
  reference: reference.forward,
});

/** y = or += x, elementwise: what differentiation puts where a gradient needs a place of its own. */
export const copy = defineKernel({
  name: 'copy',
  tensors: { y: 'gradient', x: 'read' },
  numbers: ['size'],
  reference: reference.copied,
});

/** y = a + b, one shape: the residual sum. Backward copies nothing: both gradients are that of y. */
export const add = defineOp({
  name: 'add',
  source: 'a sum',
  inputs: ['a', 'b'],
  outputs: ({ a, b }) => {
    expectShape('add', 'b', b.shape, a.shape, 'the shape of a');
    return { y: { shape: a.shape } };
  },
  forward: ({ y, a, b }) => [forward({ y, a, b }, { size: sizeOf(y.shape) })],
  backward: (_, __, g) => [...g.pass('b', g.of('y')), ...g.pass('a', g.of('y'))],
});
