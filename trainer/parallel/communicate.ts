import { defineHostKernel, defineOp, type Tensor } from '../ops/define.ts';

/** What tensor-parallel ranks say to each other inside a program; the session runs these by name. */
const allReduce = defineHostKernel({
  name: 'tensor_all_reduce',
  tensors: { y: 'write', x: 'read' },
  numbers: [],
});
/** x is lost. */
const reduceScatter = defineHostKernel({
  name: 'tensor_reduce_scatter',
  tensors: { y: 'write', x: 'update' },
  numbers: [],
});
const allGather = defineHostKernel({
  name: 'tensor_all_gather',
  tensors: { y: 'write', x: 'read' },
  numbers: [],
});

const inPlace = (x: Tensor, name: string): Tensor => ({ ...x, name, over: x, at: 0 });

/** Into a region whose ranks hold parts of a matrix: x as it is; backward the sum of what each part gives ("f" of Megatron). */
export const enter = defineOp({
  name: 'enter',
  source: 'arXiv:1909.08053',
  inputs: ['x'],
  outputs: ({ x }) => ({ y: { shape: x.shape, over: x, alias: true } }),
  forward: () => [],
  backward: (_, __, g) => {
    const dy = g.take('y');
    const dx = inPlace(dy, 'enter.x.gradient');
    return [allReduce({ y: dx, x: dy }, {}), ...g.pass('x', dx)];
  },
});

/** Out of it: the sum over ranks, x is lost; backward nothing ("g" of Megatron). */
export const leave = defineOp({
  name: 'leave',
  source: 'arXiv:1909.08053',
  inputs: ['x'],
  outputs: ({ x }) => ({ y: { shape: x.shape, over: x } }),
  forward: ({ y, x }) => [allReduce({ y, x }, {})],
  backward: (_, __, g) => g.pass('x', g.of('y')),
});

/** Rows of all ranks, [N/t, C] → [N, C]; backward the sums of each rank's rows. Source: Korthikanti et al. 2022, section 4.2.2. */
export const gatherRows = defineOp({
  name: 'gather_rows',
  source: 'arXiv:2205.05198',
  inputs: ['x'],
  outputs: ({ x }, { ranks }: { ranks: number }) => ({ y: { shape: [x.shape[0]! * ranks, ...x.shape.slice(1)] } }),
  forward: ({ y, x }) => [allGather({ y, x }, {})],
  backward: ({ x }, _, g) => {
    const dx: Tensor = { name: 'gather_rows.x.gradient', shape: x.shape, type: 'f32', zone: 'activations' };
    return [reduceScatter({ y: dx, x: g.take('y') }, {}), ...g.pass('x', dx)];
  },
});

/** The sum over ranks, of which each keeps its rows, [N, C] → [N/t, C], x is lost; backward the rows of all. */
export const scatterRows = defineOp({
  name: 'scatter_rows',
  source: 'arXiv:2205.05198',
  inputs: ['x'],
  outputs: ({ x }, { ranks }: { ranks: number }) => ({ y: { shape: [x.shape[0]! / ranks, ...x.shape.slice(1)] } }),
  forward: ({ y, x }) => [reduceScatter({ y, x }, {})],
  backward: ({ x }, _, g) => {
    const dx: Tensor = { name: 'scatter_rows.x.gradient', shape: x.shape, type: 'f32', zone: 'activations' };
    return [allGather({ y: dx, x: g.of('y') }, {}), ...g.pass('x', dx)];
  },
});

/** One after the other what all ranks have, [1, …] → [t, …]; nothing is learned through it. */
export const gatherParts = defineOp({
  name: 'gather_parts',
  source: 'arXiv:1909.08053',
  inputs: ['x'],
  outputs: ({ x }, { ranks }: { ranks: number }) => ({ y: { shape: [ranks, ...x.shape.slice(1)] } }),
  forward: ({ y, x }) => [allGather({ y, x }, {})],
});
