import { defineKernel } from '../define.ts';
import * as reference from './reference.ts';

const BLOCK = 4096;

/** Places of the norm tensor for a gradient of `size` numbers: the norm, then a sum of squares a block. */
export const normLength = (size: number): number => 1 + Math.ceil(size / BLOCK);

/** norm[0] = √Σ g² over a whole zone. Blocks of 4,096 are summed in order: the same bits for every number of threads. */
export const gradientNorm = defineKernel({
  name: 'gradient_norm',
  tensors: { norm: 'write', gradient: 'read' },
  numbers: ['size'],
  reference: reference.gradientNorm,
});
