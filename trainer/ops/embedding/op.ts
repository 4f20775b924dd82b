import { defineKernel, defineOp } from '../define.ts';
import * as reference from './reference.ts';

const forward = defineKernel({
  name: 'embedding_forward',
  tensors: { y: 'write', table: 'read', ids: 'read' },
  numbers: ['rows', 'width'],
  reference: reference.forward,
});
const backward = defineKernel({
  name: 'embedding_backward',
  tensors: { dtable: 'gradient', dy: 'read', ids: 'read' },
  numbers: ['rows', 'width', 'vocabulary'],
  reference: reference.backward,
});

/**
 * A row of the table for each id.
 * table [V, C] · ids [N] int32, each in 0 … V − 1 (checked by the session, not here) → y [N, C].
 */
export const embedding = defineOp({
  name: 'embedding',
  source: 'a lookup',
  inputs: ['table', 'ids'],
  outputs: ({ table, ids }) => ({ y: { shape: [ids.shape[0]!, table.shape[1]!] } }),
  forward: ({ y, table, ids }) => [forward({ y, table, ids }, { rows: y.shape[0]!, width: y.shape[1]! })],
  backward: ({ table, ids }, _, g) => {
    const [vocabulary, width] = table.shape as [number, number];
    return [backward({ dtable: g.into('table'), dy: g.of('y'), ids }, { rows: ids.shape[0]!, width, vocabulary })];
  },
});
