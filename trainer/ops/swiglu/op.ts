import { defineKernel, defineOp, expectShape, sizeOf } from '../define.ts';
import * as reference from './reference.ts';

const forward = defineKernel({
  name: 'swiglu_forward',
  tensors: { y: 'write', gate: 'read', up: 'read' },
  numbers: ['size'],
  reference: reference.forward,
});
const backward = defineKernel({
  name: 'swiglu_backward',
  tensors: { dgate: 'gradient', dup: 'gradient', dy: 'read', gate: 'read', up: 'read' },
  numbers: ['size'],
  reference: reference.backward,
});

/** y = silu(gate) ⊙ up. gate, up [N, F] → y [N, F]. Source: Shazeer 2020, arXiv:2002.05202. */
export const swiglu = defineOp({
  name: 'swiglu',
  source: 'arXiv:2002.05202',
  inputs: ['gate', 'up'],
  outputs: ({ gate, up }) => {
    expectShape('swiglu', 'up', up.shape, gate.shape, '[N, F]');
    return { y: { shape: gate.shape } };
  },
  forward: ({ y, gate, up }) => [forward({ y, gate, up }, { size: sizeOf(y.shape) })],
  backward: ({ gate, up }, _, g) => [
    backward({ dgate: g.into('gate'), dup: g.into('up'), dy: g.of('y'), gate, up }, { size: sizeOf(gate.shape) }),
  ],
});
