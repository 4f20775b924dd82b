import { defineKernel, defineOp, expectShape } from '../define.ts';
import * as reference from './reference.ts';

const forward = defineKernel({
  name: 'rmsnorm_forward',
  tensors: { y: 'write', r: 'write', x: 'read', gamma: 'read' },
  numbers: ['rows', 'width', 'epsilon'],
  reference: reference.forward,
});
const backward = defineKernel({
  name: 'rmsnorm_backward',
  tensors: { dx: 'gradient', dgamma: 'gradient', dy: 'read', x: 'read', gamma: 'read', r: 'read' },
  numbers: ['rows', 'width'],
  reference: reference.backward,
});

/**
 * y = γ ⊙ x·r, r = (mean over C of x² + ε)^(−½), one r a row; ε sits inside the root, as in Llama.
 * x [N, C] · gamma [C] → y [N, C], r [N] (kept for backward; x̂ is recomputed).
 * Source: Zhang & Sennrich 2019, arXiv:1910.07467, equation 4.
 */
export const rmsnorm = defineOp({
  name: 'rmsnorm',
  source: 'arXiv:1910.07467',
  inputs: ['x', 'gamma'],
  outputs: ({ x, gamma }) => {
    expectShape('rmsnorm', 'gamma', gamma.shape, [x.shape[1]!], '[C]');
    return { y: { shape: x.shape }, r: { shape: [x.shape[0]!] } };
  },
  forward: ({ y, r, x, gamma }, { epsilon }: { epsilon: number }) => [
    forward({ y, r, x, gamma }, { rows: x.shape[0]!, width: x.shape[1]!, epsilon }),
  ],
  backward: ({ r, x, gamma }, _, g) => [
    backward(
      { dx: g.into('x'), dgamma: g.into('gamma'), dy: g.of('y'), x, gamma, r },
      { rows: x.shape[0]!, width: x.shape[1]! },
    ),
  ],
});
