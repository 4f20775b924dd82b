import { describe, expect, test } from 'vitest';
import { TARGETS } from '../../../trainer/lora/lora.ts';
import { configOfDepth } from '../../../trainer/model/config.ts';
import { copy } from '../../../trainer/ops/add/op.ts';
import { defineHostKernel, type Tensor, type Zone } from '../../../trainer/ops/define.ts';
import { ALONE } from '../../../trainer/parallel/options.ts';
import { planRank } from '../../../trainer/parallel/rank-plan.ts';
import { neededCalls } from '../../../trainer/program/needed.ts';

const tensor = (name: string, zone: Zone = 'activations'): Tensor => ({ name, shape: [4], type: 'f32', zone });
const from = (x: Tensor, y: Tensor, add = false) => copy({ y: { tensor: y, add }, x }, { size: 4 });

test('what nobody reads goes, and all that leads to it alone', () => {
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((name) => tensor(name)) as [Tensor, Tensor, Tensor, Tensor];
  const stays = tensor('stays', 'gradients');
  const piece: Tensor = { ...tensor('piece'), shape: [2], over: b, at: 1 };
  const calls = [from(a, b), from(b, c), from(c, d), from(piece, stays, true), from(stays, a)];
  expect(neededCalls(calls)).toEqual([calls[0], calls[3]]);
});

test('a word to others is always said, and what it says is made', () => {
  const [a, b] = [tensor('a'), tensor('b')];
  const say = defineHostKernel({ name: 'say', tensors: { x: 'read' }, numbers: [] });
  const calls = [from(a, b), from(b, a), say({ x: b }, {})];
  expect(neededCalls(calls)).toEqual([calls[0], calls[2]]);
});

describe('of a model', () => {
  const config = configOfDepth(2, { vocabulary: 50, context: 8, width: 32, heads: 2, keyValueHeads: 2, headSize: 16 });
  const place = { data: 0, tensor: 0, pipeline: 0 };
  const backward = (more: object) => {
    const { learn } = planRank({ ...config, ...more }, { micro: 1, sequence: 8 }, ALONE, place).chunks[0]!;
    return learn.calls.slice(learn.border).map(({ kernel }) => kernel.name);
  };
  const count = (names: string[], name: string) => names.filter((n) => n === name).length;

  test('that is trained whole, everything is needed', () => {
    const calls = backward({});
    expect(count(calls, 'linear_backward_weight')).toBe(2 * 7 + 1);
    expect(count(calls, 'embedding_backward')).toBe(1);
  });

  test('with adapters on the queries of its layers: no gradient of a frozen matrix, none below the first adapter', () => {
    const calls = backward({ lora: { rank: 2, alpha: 2, targets: ['q_proj'], rows: [] } });
    expect(count(calls, 'linear_backward_weight')).toBe(2 * 2);
    // the head, one whole layer, and of the first what comes after its queries; of each adapter B, of the second A too
    expect(count(calls, 'linear_backward_input')).toBe(1 + 7 + 4 + 2 + 1);
    expect(count(calls, 'embedding_backward')).toBe(0);
  });

  test('with trained rows of the embedding: its gradient is made, and the rows are picked out', () => {
    const calls = backward({ lora: { rank: 2, alpha: 2, targets: TARGETS, rows: [3, 4, 9] } });
    expect(count(calls, 'embedding_backward')).toBe(1);
    expect(count(calls, 'linear_backward_weight')).toBe(2 * 14 + 1);
  });
});
