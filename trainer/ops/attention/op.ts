import { defineKernel, defineOp, expectShape } from '../define.ts';
import * as reference from './reference.ts';

const BLOCK = 64;

const forward = defineKernel({
  name: 'attention_forward',
  tensors: { o: 'write', lse: 'write', q: 'read', k: 'read', v: 'read', starts: 'read' },
  numbers: ['batch', 'length', 'heads', 'groups', 'size'],
  scratch: ({ size }) => ({ each: 2 * size * BLOCK + BLOCK * BLOCK }),
  reference: reference.forward,
});
const backward = defineKernel({
  name: 'attention_backward',
  tensors: {
    dq: 'gradient',
    dk: 'gradient',
    dv: 'gradient',
    dout: 'read',
    o: 'read',
    lse: 'read',
    q: 'read',
    k: 'read',
    v: 'read',
    starts: 'read',
  },
  numbers: ['batch', 'length', 'heads', 'groups', 'size'],
  scratch: ({ size }) => ({ each: 3 * size * BLOCK + 2 * BLOCK * BLOCK }),
  reference: reference.backward,
});
const cached = defineKernel({
  name: 'attention_cached',
  tensors: {
    o: 'write',
    keys: 'update',
    values: 'update',
    q: 'read',
    k: 'read',
    v: 'read',
    slots: 'read',
    positions: 'read',
  },
  numbers: ['rows', 'heads', 'groups', 'size', 'room'],
  scratch: ({ heads, groups, room }) => ({ each: (heads / groups) * room }),
  reference: reference.cached,
});

interface Heads {
  batch: number;
  heads: number;
  groups: number;
  size: number;
}

/**
 * Causal attention with grouped queries inside documents: query i sees keys starts[i] … i of its row; scale 1/√Q.
 * q [B·T, H·Q] · k, v [B·T, G·Q] · starts [B·T] int32, 0 ≤ starts[i] ≤ i, never falling in a row
 * → o [B·T, H·Q], lse [B·H·T] (natural log, kept for backward). No [T, T] is ever stored.
 * Source: Dao 2023, arXiv:2307.08691; grouped queries: Ainslie et al. 2023, arXiv:2305.13245.
 */
export const attention = defineOp({
  name: 'attention',
  source: 'arXiv:2307.08691',
  inputs: ['q', 'k', 'v', 'starts'],
  outputs: ({ q, k, v, starts }, { batch, heads, groups, size }: Heads) => {
    const rows = q.shape[0]!;
    if (heads % groups || rows % batch) throw new Error(`attention: ${heads} heads in ${groups} groups`);
    expectShape('attention', 'q', q.shape, [rows, heads * size], '[B T, H Q]');
    expectShape('attention', 'k', k.shape, [rows, groups * size], '[B T, G Q]');
    expectShape('attention', 'v', v.shape, k.shape, '[B T, G Q]');
    expectShape('attention', 'starts', starts.shape, [rows], '[B T]');
    return { o: { shape: q.shape }, lse: { shape: [rows * heads] } };
  },
  forward: ({ o, lse, q, k, v, starts }, a) => [forward({ o, lse, q, k, v, starts }, sizes(q.shape, a))],
  backward: ({ o, lse, q, k, v, starts }, a, g) => [
    backward(
      { dq: g.into('q'), dk: g.into('k'), dv: g.into('v'), dout: g.of('o'), o, lse, q, k, v, starts },
      sizes(q.shape, a),
    ),
  ],
});

const sizes = (q: readonly number[], { batch, heads, groups, size }: Heads) => ({
  batch,
  length: q[0]! / batch,
  heads,
  groups,
  size,
});

/**
 * The same with a cache of S sequences, for sampling: k and v of N new tokens are stored in their slots at their positions,
 * and each token sees all of its slot up to its own. A row of o is the same bits whatever other rows there are.
 * keys [S, G, P/64, Q, 64], values [S, G, P, Q] (changed), P a multiple of 64 · q [N, H·Q] · k, v [N, G·Q]
 * · slots, positions [N] int32, no place twice → o [N, H·Q].
 */
export const cachedAttention = defineOp({
  name: 'attention_cached',
  source: 'arXiv:2305.13245',
  inputs: ['keys', 'values', 'q', 'k', 'v', 'slots', 'positions'],
  outputs: ({ keys, values, q }, { heads, groups, size }: Omit<Heads, 'batch'>) => {
    const [slots, , blocks] = keys.shape as [number, number, number];
    expectShape('attention_cached', 'q', q.shape, [q.shape[0]!, heads * size], '[N, H Q]');
    expectShape('attention_cached', 'keys', keys.shape, [slots, groups, blocks, size, BLOCK], '[S, G, P/64, Q, 64]');
    expectShape('attention_cached', 'values', values.shape, [slots, groups, blocks * BLOCK, size], '[S, G, P, Q]');
    return { o: { shape: q.shape } };
  },
  forward: (t, { heads, groups, size }) => [
    cached(t, { rows: t.q.shape[0]!, heads, groups, size, room: t.values.shape[2]! }),
  ],
});

/** The shapes of a cache for `slots` sequences of `length` tokens each. */
export function cacheShapes(
  slots: number,
  length: number,
  { groups, size }: { groups: number; size: number },
): Record<'keys' | 'values', number[]> {
  const blocks = Math.ceil(length / BLOCK);
  return { keys: [slots, groups, blocks, size, BLOCK], values: [slots, groups, blocks * BLOCK, size] };
}
