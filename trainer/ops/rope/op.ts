import { defineKernel, defineOp, expectShape } from '../define.ts';
import * as reference from './reference.ts';

const forward = defineKernel({
  name: 'rope_forward',
  tensors: { y: 'write', x: 'read', table: 'read', positions: 'read' },
  numbers: ['rows', 'heads', 'size'],
  reference: reference.forward,
});
const backward = defineKernel({
  name: 'rope_backward',
  tensors: { dx: 'write', dy: 'read', table: 'read', positions: 'read' },
  numbers: ['rows', 'heads', 'size'],
  reference: reference.backward,
});

/**
 * Rotary positions, half layout (Hugging Face's Llama): pair (x_j, x_{j+Q/2}) turned by position · base^(−2j/Q). In place.
 * x [N, H·Q] · table [P, Q] (cosines, then sines, of every position) · positions [N] int32 < P → y [N, H·Q] over x.
 * Source: Su et al. 2021, arXiv:2104.09864, equation 34.
 */
export const rope = defineOp({
  name: 'rope',
  source: 'arXiv:2104.09864',
  inputs: ['x', 'table', 'positions'],
  outputs: ({ x, table }, { size }: { size: number }) => {
    if (size % 2 || x.shape[1]! % size) throw new Error(`rope: ${x.shape[1]} channels are no whole heads of ${size}`);
    expectShape('rope', 'table', table.shape, [table.shape[0]!, size], '[P, Q]');
    return { y: { shape: x.shape, over: x } };
  },
  forward: ({ y, x, table, positions }, { size }) => [
    forward({ y, x, table, positions }, { rows: x.shape[0]!, heads: x.shape[1]! / size, size }),
  ],
  backward: ({ x, table, positions }, { size }, g) => {
    const dy = g.take('y');
    const dx = { ...dy, name: 'rope.x.gradient', over: dy };
    return [
      backward({ dx, dy, table, positions }, { rows: x.shape[0]!, heads: x.shape[1]! / size, size }),
      ...g.pass('x', dx),
    ];
  },
});
