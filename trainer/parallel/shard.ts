import { crossEntropyJoin, crossEntropyPart } from '../ops/cross-entropy/op.ts';
import { useOp, type Step, type Tape, type Tensor } from '../ops/define.ts';
import { embeddingPart } from '../ops/embedding/op.ts';
import { record } from '../program/record.ts';
import { enter, gatherParts, gatherRows, leave, scatterRows } from './communicate.ts';

/** What a rank holds of an activation: all of it, some of its columns or rows, or a summand of it. */
type Layout = 'whole' | 'columns' | 'rows' | 'summand';

interface Held {
  tensor: Tensor;
  layout: Layout;
}

export interface ShardOptions {
  /** Of the tensor group. */
  ranks: number;
  rank: number;
  /** Sequence parallel: between the matrices a rank holds its rows only. */
  sequence: boolean;
  /** This rank's part of a weight, and how it was cut: by outputs (0), by inputs (1) or not (null). */
  weight: (whole: Tensor) => { tensor: Tensor; axis: 0 | 1 | null; from: number };
}

/**
 * Rewrites a recorded model for one of several tensor-parallel ranks: the same ops on parts of the weights, with words to
 * the other ranks where a matrix begins and ends (Megatron: arXiv:1909.08053; rows between them: arXiv:2205.05198).
 * The model knows nothing of it. Returns the new tape and the tensor that stands for `result`.
 */
export function shardTape(tape: Tape, result: Tensor, options: ShardOptions): { tape: Tape; result: Tensor } {
  const { ranks, rank, sequence } = options;
  const held = new Map<Tensor, Held>();
  const entered = new Map<Tensor, Tensor>();
  /** Where the columns of a product begin in the whole: a part of the vocabulary is counted from there. */
  const firstColumn = new Map<Tensor, number>();

  const find = (tensor: Tensor): Held => {
    if (tensor.zone === 'inputs') return { tensor, layout: 'whole' };
    const found = held.get(tensor);
    if (!found) throw new Error(`${tensor.name} is used before it is made`);
    return found;
  };
  /** The whole of an activation for a matrix that is cut by outputs: made once, so that its gradients are summed once. */
  const wholeFor = (tensor: Tensor): Tensor => {
    const known = entered.get(tensor);
    if (known) return known;
    const { tensor: x, layout } = find(tensor);
    if (layout !== 'whole' && layout !== 'rows') throw new Error(`${tensor.name} is ${layout}, it must be whole`);
    const y = layout === 'rows' ? gatherRows({ x }, { ranks }).y : enter({ x }).y;
    entered.set(tensor, y);
    return y;
  };
  const summed = (x: Tensor): Held =>
    sequence
      ? { tensor: scatterRows({ x }, { ranks }).y, layout: 'rows' }
      : { tensor: leave({ x }).y, layout: 'whole' };

  const run = (step: Step): Record<string, Held> => {
    const { tensors, attributes } = step;
    const same = (inputs: Record<string, Tensor>, layout: Layout, changed = attributes) =>
      Object.fromEntries(
        Object.entries(useOp(step.op, inputs, changed)).map(([name, tensor]) => [name, { tensor, layout }]),
      );
    switch (step.op.name) {
      case 'embedding': {
        const { tensor: table, from } = options.weight(tensors['table']!);
        return { y: summed(embeddingPart({ table, ids: tensors['ids']! }, { first: from }).y) };
      }
      case 'rmsnorm': {
        const x = find(tensors['x']!);
        return same({ x: x.tensor, gamma: options.weight(tensors['gamma']!).tensor }, x.layout);
      }
      case 'linear': {
        const { tensor: w, axis } = options.weight(tensors['w']!);
        if (axis === 0) return same({ x: wholeFor(tensors['x']!), w }, 'columns');
        const x = find(tensors['x']!);
        // Every rank has all of the product: of its rows, where ranks hold rows, each gives the gradient of its share.
        if (axis === null)
          return same({ x: sequence ? gatherRows({ x: x.tensor }, { ranks }).y : x.tensor, w }, 'whole');
        if (axis !== 1 || x.layout !== 'columns') throw new Error(`${w.name}: its input is ${x.layout}`);
        return { y: summed(useOp(step.op, { x: x.tensor, w }, attributes)['y']!) };
      }
      case 'rope': {
        const { table, positions } = tensors as Record<'table' | 'positions', Tensor>;
        return same({ x: find(tensors['x']!).tensor, table, positions }, 'columns');
      }
      case 'attention': {
        const [q, k, v] = ['q', 'k', 'v'].map((name) => find(tensors[name]!).tensor) as [Tensor, Tensor, Tensor];
        const whole = attributes as { batch: number; heads: number; groups: number; size: number };
        const part = { ...whole, heads: whole.heads / ranks, groups: k.shape[1]! / whole.size };
        return same({ q, k, v, starts: tensors['starts']! }, 'columns', part);
      }
      case 'swiglu':
        return same({ gate: find(tensors['gate']!).tensor, up: find(tensors['up']!).tensor }, 'columns');
      case 'add': {
        const [a, b] = [find(tensors['a']!), find(tensors['b']!)];
        if (a.layout !== b.layout) throw new Error(`a sum of ${a.layout} and ${b.layout}`);
        return same({ a: a.tensor, b: b.tensor }, a.layout);
      }
      case 'cross_entropy': {
        const logits = find(tensors['logits']!).tensor;
        const { targets, scales } = tensors as Record<'targets' | 'scales', Tensor>;
        const first = firstColumn.get(logits) ?? 0;
        const { sums } = crossEntropyPart({ logits, targets }, { first });
        const all = gatherParts({ x: sums }, { ranks }).y;
        const made = crossEntropyJoin({ sums: all, logits, targets, scales }, { first });
        return { loss: { tensor: made.loss, layout: 'whole' }, lse: { tensor: made.lse, layout: 'whole' } };
      }
      case 'score': {
        const { targets, scales } = tensors as Record<'targets' | 'scales', Tensor>;
        const y = find(tensors['y']!).tensor;
        const each = y.shape[0]! / ranks;
        const share = sequence ? { from: rank * each, to: (rank + 1) * each } : attributes;
        return same({ y, targets, scales }, 'whole', share);
      }
      default:
        throw new Error(`no tensor-parallel rule for ${step.op.name}`);
    }
  };
  const made = record(() => {
    for (const step of tape.steps) {
      const outputs = run(step);
      for (const name of step.outputs) if (outputs[name]) held.set(step.tensors[name]!, outputs[name]);
      if (step.op.name === 'linear') firstColumn.set(outputs['y']!.tensor, options.weight(step.tensors['w']!).from);
    }
    return find(result).tensor;
  });
  return made;
}
