import { expect, test } from 'vitest';
import { findCompiler } from '../../../core/native/compile.ts';
import { openCpu } from '../../../trainer/engines/cpu/engine.ts';
import { openReference } from '../../../trainer/engines/reference.ts';
import type { Tensor } from '../../../trainer/ops/define.ts';
import { draw } from '../../../trainer/ops/draw/op.ts';
import { layOut, plan } from '../../../trainer/program/plan.ts';
import { record } from '../../../trainer/program/record.ts';
import { bind, reserveArena, viewOf } from '../../../trainer/program/replay.ts';
import { normals } from './harness.ts';

const ENGINES = findCompiler() ? [openReference(), openCpu(2)!] : [openReference()];
if (ENGINES.length === 1) console.warn('skipped: no C compiler, so the CPU engine is not compared');

interface Given {
  logits: readonly number[];
  rows: number;
  allowed?: (id: number) => boolean;
  temperature?: number;
  u: (row: number) => number;
}

function run(engine: (typeof ENGINES)[number], { logits, rows, allowed = () => true, temperature = 1, u }: Given) {
  const vocabulary = logits.length / rows;
  const input = (name: string, shape: number[], type: Tensor['type'] = 'f32'): Tensor => ({
    name,
    shape,
    type,
    zone: 'inputs',
  });
  const t = {
    logits: input('logits', [rows, vocabulary]),
    allowed: input('allowed', [vocabulary]),
    temperature: input('temperature', [rows], 'f64'),
    u: input('u', [rows], 'f64'),
  };
  const { tape, result } = record(() => draw(t));
  const program = { calls: tape.calls, keep: [result.picked, result.levels] };
  const itsPlan = plan(program);
  const places = new Map<Tensor, number>();
  const bytes = {
    inputs: layOut(Object.values(t), 4, places, true),
    activations: itsPlan.activations,
    weights: 0,
    gradients: 0,
    optimizer: 0,
  };
  const arena = reserveArena(engine, bytes, places);
  const view = (tensor: Tensor) => viewOf(tensor, arena, itsPlan);
  view(t.logits).set(logits);
  view(t.allowed).set(Float32Array.from({ length: vocabulary }, (_, id) => Number(allowed(id))));
  view(t.temperature).fill(temperature);
  view(t.u).set(Float64Array.from({ length: rows }, (_, i) => u(i)));
  bind(program, itsPlan, arena, engine)();
  return { picked: [...view(result.picked)], levels: [...view(result.levels)] };
}

test.each(ENGINES)('$name: shares of each token over an even grid of draws', (engine) => {
  const shares = [0.1, 0.4, 0.2, 0.3];
  const rows = 1000;
  const logits = Array.from({ length: rows }, () => shares.map(Math.log)).flat();
  const counts = (over: Partial<Given>) => {
    const { picked } = run(engine, { logits, rows, u: (i) => (i + 0.5) / rows, ...over });
    return shares.map((_, id) => picked.filter((p) => p === id).length / rows);
  };
  expect(counts({}).map((c, i) => Math.abs(c - shares[i]!) < 0.002)).toEqual([true, true, true, true]);
  expect(counts({ allowed: (id) => id !== 1 }).map((c) => Math.round(c * 100))).toEqual([17, 0, 33, 50]);
  expect(counts({ temperature: 0 })).toEqual([0, 1, 0, 0]);
  expect(counts({ temperature: 0, allowed: (id) => id % 2 === 0 })).toEqual([0, 0, 1, 0]);
  expect(counts({ temperature: 0.5 }).map((c) => Math.round(c * 100))).toEqual([3, 53, 13, 30]);
});

test.each(ENGINES)('$name: the ends of the range, equal logits, huge and tiny ones', (engine) => {
  const one = (logits: number[], over: Partial<Given>) => run(engine, { logits, rows: 1, u: () => 0, ...over });
  const last = () => 1 - 2 ** -53;
  expect(one([1, 2, 2, 2, 0], { temperature: 0 }).picked).toEqual([1]);
  expect(one([-1000, 1000, -1000, 1000], {}).picked).toEqual([1]);
  expect(one([-1000, 1000, -1000, 1000, -1000], { u: last }).picked).toEqual([3]);
  const many = Array.from({ length: 2000 }, () => 0);
  expect(one(many, { u: last }).picked).toEqual([1999]);
  expect(one(many, { u: last, allowed: (id) => id < 700 }).picked).toEqual([699]);
  expect(one(many, { allowed: (id) => id === 1234 }).picked).toEqual([1234]);
  expect(one([...many, 100], { u: () => 0.5, allowed: (id) => id === 3 }).picked).toEqual([3]);
});

test.skipIf(ENGINES.length === 1)(
  'the kernel agrees with the reference, row by row and whatever rows there are',
  () => {
    const [reference, cpu] = ENGINES as [(typeof ENGINES)[0], (typeof ENGINES)[0]];
    for (const [vocabulary, scale, temperature] of [
      [3, 1, 1],
      [515, 5, 0.3],
      [1100, 2, 1.7],
      [2048, 12, 1],
    ] as const) {
      const rows = 12;
      const logits = [...normals(rows * vocabulary, vocabulary, scale)];
      const given: Given = { logits, rows, temperature, u: (i) => (i + 0.37) / rows, allowed: (id) => id % 7 !== 1 };
      const [a, b] = [run(reference, given), run(cpu, given)];
      expect(b.picked).toEqual(a.picked);
      b.levels.forEach((level, i) => expect(Math.abs(level - a.levels[i]!)).toBeLessThan(1e-5));
      const alone = run(cpu, {
        ...given,
        logits: logits.slice(5 * vocabulary, 6 * vocabulary),
        rows: 1,
        u: () => given.u(5),
      });
      expect([alone.picked[0], alone.levels[0]]).toEqual([b.picked[5], b.levels[5]]);
    }
  },
);
