import { defineKernel, defineOp, expectShape, type Scratch } from '../define.ts';
import * as reference from './reference.ts';

const WIDEST_TILE = 32;
const LONGEST_TILE = 12;

/** What the packed panels of a product [m × k] · [k × n] take at most, on any processor (engines/cpu/gemm.c). */
const panels = (m: number, n: number, k: number): Scratch => ({
  shared: (Math.min(n, 4096) + WIDEST_TILE) * Math.min(k, 384),
  each: (Math.min(m, 144) + LONGEST_TILE) * Math.min(k, 384),
});

const forward = defineKernel({
  name: 'linear_forward',
  tensors: { y: 'write', x: 'read', w: 'read' },
  numbers: ['rows', 'out', 'in'],
  scratch: ({ rows, out, in: width }) => panels(rows, out, width),
  reference: reference.forward,
});
const backwardInput = defineKernel({
  name: 'linear_backward_input',
  tensors: { dx: 'gradient', dy: 'read', w: 'read' },
  numbers: ['rows', 'out', 'in'],
  scratch: ({ rows, out, in: width }) => panels(rows, width, out),
  reference: reference.backwardInput,
});
const backwardWeight = defineKernel({
  name: 'linear_backward_weight',
  tensors: { dw: 'gradient', dy: 'read', x: 'read' },
  numbers: ['rows', 'out', 'in'],
  scratch: ({ rows, out, in: width }) => panels(out, width, rows),
  reference: reference.backwardWeight,
});

/** y = x Wᵀ. x [N, I] · w [O, I] (Hugging Face's layout) → y [N, O]. 2·N·I·O FLOPs, twice that backward. */
export const linear = defineOp({
  name: 'linear',
  source: 'a matrix product',
  inputs: ['x', 'w'],
  outputs: ({ x, w }) => {
    expectShape('linear', 'w', w.shape, [w.shape[0]!, x.shape[1]!], '[O, I]');
    return { y: { shape: [x.shape[0]!, w.shape[0]!] } };
  },
  forward: ({ y, x, w }) => [forward({ y, x, w }, sizes(x.shape, w.shape))],
  backward: ({ x, w }, _, g) => {
    const dy = g.of('y');
    return [
      backwardWeight({ dw: g.into('w'), dy, x }, sizes(x.shape, w.shape)),
      backwardInput({ dx: g.into('x'), dy, w }, sizes(x.shape, w.shape)),
    ];
  },
});

const sizes = (x: readonly number[], w: readonly number[]) => ({ rows: x[0]!, out: w[0]!, in: x[1]! });
