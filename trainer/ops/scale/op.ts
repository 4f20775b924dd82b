import { defineKernel, defineOp, sizeOf } from '../define.ts';
import * as reference from './reference.ts';

/** Forward and backward half alike: the gradient of a multiple is the same multiple of the gradient. */
const scaled = defineKernel({
  name: 'scale',
  tensors: { y: 'gradient', x: 'read' },
  numbers: ['size', 'factor'],
  reference: reference.scaled,
});

/** y = s x, elementwise. */
export const scale = defineOp({
  name: 'scale',
  source: 'a product',
  inputs: ['x'],
  outputs: ({ x }) => ({ y: { shape: x.shape } }),
  forward: ({ y, x }, { factor }: { factor: number }) => [
    scaled({ y: { tensor: y, add: false }, x }, { size: sizeOf(x.shape), factor }),
  ],
  backward: ({ x }, { factor }, g) => {
    const dy = g.of('y');
    return [scaled({ y: g.into('x'), x: dy }, { size: sizeOf(x.shape), factor })];
  },
});
