import { defineKernel } from '../define.ts';
import * as reference from './reference.ts';

/**
 * Clipping and AdamW with decoupled decay in one pass over whole zones: 28 bytes a parameter.
 * weight, first, second, gradient [size] · norm[0] of the unscaled gradient · hyper: see HYPER. The first `decayed`
 * numbers decay. Source: Loshchilov & Hutter 2019, arXiv:1711.05101, in PyTorch's order (decay first).
 */
export const adamw = defineKernel({
  name: 'adamw',
  tensors: { weight: 'update', first: 'update', second: 'update', gradient: 'read', norm: 'read', hyper: 'read' },
  numbers: ['size', 'decayed'],
  reference: reference.adamw,
});
