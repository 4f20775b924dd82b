import { defineKernel, defineOp, type Shape } from '../define.ts';
import * as reference from './reference.ts';

const forward = defineKernel({
  name: 'embedding_forward',
  tensors: { y: 'write', table: 'read', ids: 'read' },
  numbers: ['rows', 'width', 'vocabulary', 'first'],
  reference: reference.forward,
});
const backward = defineKernel({
  name: 'embedding_backward',
  tensors: { dtable: 'gradient', dy: 'read', ids: 'read' },
  numbers: ['rows', 'width', 'vocabulary', 'first'],
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
  forward: ({ y, table, ids }) => [forward({ y, table, ids }, sizes(table.shape, ids.shape, 0))],
  backward: ({ table, ids }, _, g) => [
    backward({ dtable: g.into('table'), dy: g.of('y'), ids }, sizes(table.shape, ids.shape, 0)),
  ],
});

/**
 * The same where the table has only rows `first` … first + V − 1 of a larger one: ids outside give zeros, so that the sum
 * over all parts is the lookup. Source: Shoeybi et al. 2019, arXiv:1909.08053, section 3.
 */
export const embeddingPart = defineOp({
  name: 'embedding_part',
  source: 'arXiv:1909.08053',
  inputs: ['table', 'ids'],
  outputs: ({ table, ids }) => ({ y: { shape: [ids.shape[0]!, table.shape[1]!] } }),
  forward: ({ y, table, ids }, { first }: { first: number }) => [
    forward({ y, table, ids }, sizes(table.shape, ids.shape, first)),
  ],
  backward: ({ table, ids }, { first }, g) => [
    backward({ dtable: g.into('table'), dy: g.of('y'), ids }, sizes(table.shape, ids.shape, first)),
  ],
});

const sizes = (table: Shape, ids: Shape, first: number) => ({
  rows: ids[0]!,
  width: table[1]!,
  vocabulary: table[0]!,
  first,
});
