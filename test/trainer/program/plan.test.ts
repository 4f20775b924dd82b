import { expect, test } from 'vitest';
import { configOfDepth } from '../../../trainer/model/config.ts';
import { add } from '../../../trainer/ops/add/op.ts';
import type { Tensor } from '../../../trainer/ops/define.ts';
import { rmsnorm } from '../../../trainer/ops/rmsnorm/op.ts';
import { rope } from '../../../trainer/ops/rope/op.ts';
import { swiglu } from '../../../trainer/ops/swiglu/op.ts';
import { differentiate } from '../../../trainer/program/differentiate.ts';
import { explain, plan, type Program } from '../../../trainer/program/plan.ts';
import { record } from '../../../trainer/program/record.ts';
import { trainingPrograms } from '../../../trainer/session/programs.ts';
import { verify } from '../../../trainer/program/verify.ts';

const input = (name: string, shape: number[], type: 'f32' | 'i32' = 'f32'): Tensor => ({
  name,
  shape,
  type,
  zone: 'inputs',
});
const model = trainingPrograms(
  configOfDepth(3, { vocabulary: 50, context: 16, width: 32, heads: 4, keyValueHeads: 2, headSize: 8 }),
  2,
  16,
);

test('a recorded model, forward and backward, reads only what it has written and overlaps nothing that lives', () => {
  for (const floatBytes of [4, 8]) verify(model.learn, plan(model.learn, floatBytes));
  verify(model.judge, plan(model.judge));
});

test('no plan is larger than all tensors, none smaller than what lives at one time', () => {
  const planned = plan(model.learn);
  const [headline] = explain(model.learn, planned);
  const alive = Number(/([\d.]+) MB alive/.exec(headline!)![1]) * 1e6;
  expect(planned.activations).toBeLessThan(planned.unshared);
  expect(planned.activations).toBeGreaterThanOrEqual(alive - 5e4);
  expect(planned.activations).toBeLessThan(alive * 1.25);
  expect(model.learn.calls.length).toBeGreaterThan(100);
});

test('every way to spoil a plan is found', () => {
  const planned = plan(model.learn);
  const activations = [...planned.place.keys()];
  let found = 0;
  for (const tensor of activations) {
    const spoiled = { ...planned, place: new Map(planned.place) };
    // to the place of another one of at least that size
    const other = activations.find(
      (t) =>
        t !== tensor &&
        planned.place.get(t) !== planned.place.get(tensor) &&
        lifeOf(t)[0] < lifeOf(tensor)[1] &&
        lifeOf(t)[1] > lifeOf(tensor)[0],
    );
    if (!other) continue;
    spoiled.place.set(tensor, planned.place.get(other)!);
    expect(() => verify(model.learn, spoiled), tensor.name).toThrow(/reads|lies over|ends at/);
    found++;
  }
  expect(found).toBeGreaterThan(20);
});

function lifeOf(tensor: Tensor): [number, number] {
  const touches = model.learn.calls.flatMap(({ tensors }, i) =>
    tensors.some((t) => t === tensor || t.over === tensor) ? [i] : [],
  );
  return [touches[0]!, touches.at(-1)!];
}

test('a call that is left out, or comes too early, is found', () => {
  const planned = plan(model.learn);
  const { calls, keep } = model.learn;
  const without = (i: number): Program => ({ calls: calls.filter((_, j) => j !== i), keep });
  expect(() => verify(without(0), planned)).toThrow(/nothing has written/);
  expect(() => verify(without(calls.length >> 1), planned)).toThrow(/reads/);
  expect(() => verify({ calls: calls.toReversed(), keep }, planned)).toThrow(/reads/);
});

test('an op that works in place over something that is still needed is found', () => {
  const [x, gamma, table] = [input('x', [4, 8]), input('gamma', [8]), input('table', [4, 8])];
  const positions = input('positions', [4], 'i32');
  const { tape, result } = record(() => {
    const { y } = rmsnorm({ x, gamma }, { epsilon: 0 });
    const turned = rope({ x: y, table, positions }, { size: 8 }).y;
    return add({ a: turned, b: y }).y; // y is no more
  });
  const program = { calls: tape.calls, keep: [result] };
  expect(() => verify(program, plan(program))).toThrow(/reads rmsnorm.y, but rope.y lies there/);
});

test('a gradient that stands for two tensors is copied before one of them changes it', () => {
  const [a, b] = [input('a', [2, 3]), input('b', [2, 3])];
  const { tape, result } = record(() => {
    const gated = swiglu({ gate: a, up: b }).y;
    const sum = add({ a: gated, b: a }).y;
    return add({ a: sum, b: gated }).y;
  });
  const seed = { ...input('seed', [2, 3]), zone: 'gradients' as const };
  const { calls, gradients } = differentiate(tape, { weightGradient: () => seed, seeds: new Map([[result, seed]]) });
  const program = { calls: [...tape.calls, ...calls], keep: [...gradients.values()] };
  verify(program, plan(program));
  expect(calls.filter((c) => c.kernel.name === 'copy').length).toBeGreaterThan(0);
  // the seed itself is never written
  expect(calls.some((c) => c.tensors.some((t, i) => t === seed && c.kernel.slots[i]!.role !== 'read'))).toBe(false);
});

test('shapes that do not fit are refused where they are recorded', () => {
  const [x, gamma] = [input('x', [4, 8]), input('gamma', [7])];
  expect(() => record(() => rmsnorm({ x, gamma }, { epsilon: 0 }))).toThrow(
    'rmsnorm: gamma is [7], it must be [C] = [8]',
  );
  expect(() => rmsnorm({ x, gamma }, { epsilon: 0 })).toThrow(/outside record/);
});
