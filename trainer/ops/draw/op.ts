import { defineKernel, defineOp, expectShape } from '../define.ts';
import * as reference from './reference.ts';

const BLOCK = 512;

const kernel = defineKernel({
  name: 'draw',
  tensors: { picked: 'write', levels: 'write', logits: 'read', allowed: 'read', temperature: 'read', u: 'read' },
  numbers: ['rows', 'vocabulary'],
  scratch: ({ vocabulary }) => ({ each: 2 * Math.ceil(vocabulary / BLOCK) }),
  reference: reference.draw,
});

/**
 * Draws a token a row: the inverse, at u, of the cumulative distribution softmax(z/T) over what is allowed, in the order of ids;
 * at T = 0 the largest logit. logits [N, V] · allowed [V] (1 or 0) · temperature, u [N] float64 → picked [N] int32,
 * levels [N] float64 = ln Σ exp(z/T) over ALL tokens (T = 0 counts as 1), so that ln p(id) = z[id]/T − level.
 */
export const draw = defineOp({
  name: 'draw',
  source: 'inverse of the cumulative distribution',
  inputs: ['logits', 'allowed', 'temperature', 'u'],
  outputs: ({ logits, allowed, temperature, u }) => {
    const [rows, vocabulary] = logits.shape as [number, number];
    expectShape('draw', 'allowed', allowed.shape, [vocabulary], '[V]');
    expectShape('draw', 'temperature', temperature.shape, [rows], '[N]');
    expectShape('draw', 'u', u.shape, [rows], '[N]');
    return { picked: { shape: [rows], type: 'i32' }, levels: { shape: [rows], type: 'f64' } };
  },
  forward: (t) => [kernel(t, { rows: t.logits.shape[0]!, vocabulary: t.logits.shape[1]! })],
});
