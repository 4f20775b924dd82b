import { defineKernel, defineOp, expectShape } from '../define.ts';
import * as reference from './reference.ts';

/** Outputs of a weight that lie side by side. */
const PANEL = 64;

const forward = defineKernel({
  name: 'linear_packed',
  tensors: { y: 'write', x: 'read', w: 'read' },
  numbers: ['rows', 'out', 'in'],
  reference: reference.forward,
});

/** The shape of a weight [O, I] once it is packed. */
export const packedShape = ([out, width]: readonly number[]): number[] => [Math.ceil(out! / PANEL), width!, PANEL];

/** Packs a weight [O, I] into panels [⌈O/64⌉, I, 64]; the last one is filled up with zeros. */
export function packWeight(into: Float32Array, weight: Float32Array, width: number): void {
  const out = weight.length / width;
  into.fill(0, Math.floor(out / PANEL) * PANEL * width);
  for (let o = 0; o < out; o++) {
    const panel = Math.floor(o / PANEL) * PANEL * width + (o % PANEL);
    for (let k = 0; k < width; k++) into[panel + k * PANEL] = weight[o * width + k]!;
  }
}

/**
 * y = x Wᵀ for a weight that stays as it is over many calls (sampling). x [N, I] · w packed [⌈O/64⌉, I, 64] → y [N, O].
 * A row of y is the same bits whatever other rows there are, which `linear` does not promise: it adds few rows up in another
 * order than many. Limits: the weight is read once from memory for up to 6 rows, 2·N·I·O FLOPs for more.
 */
export const linearPacked = defineOp({
  name: 'linear_packed',
  source: 'a matrix product',
  inputs: ['x', 'w'],
  outputs: ({ x, w }, { out }: { out: number }) => {
    expectShape('linear_packed', 'w', w.shape, packedShape([out, x.shape[1]!]), '[⌈O/64⌉, I, 64]');
    return { y: { shape: [x.shape[0]!, out] } };
  },
  forward: ({ y, x, w }, { out }) => [forward({ y, x, w }, { rows: x.shape[0]!, out, in: x.shape[1]! })],
});
