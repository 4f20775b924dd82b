import { describe, expect, test } from 'vitest';
import { compareCourses } from '../../../bench/ranks/compare.ts';
import { fixture } from '../../../bench/ranks/fixture.ts';
import { courseOf } from '../../../bench/ranks/run.ts';
import { findCompiler } from '../../../core/native/compile.ts';
import { alone } from '../../../trainer/collectives/alone.ts';
import { TARGETS, adapterOf, mergedConfig, type Lora } from '../../../trainer/lora/lora.ts';
import { mergeAdapter } from '../../../trainer/lora/merge.ts';
import { configOfDepth, type ModelConfig } from '../../../trainer/model/config.ts';
import type { Fill, Learner } from '../../../trainer/parallel/learner.ts';
import { openLearner } from '../../../trainer/parallel/open.ts';
import { ALONE, checkParallel, type ParallelOptions } from '../../../trainer/parallel/options.ts';
import { normals } from '../ops/harness.ts';

const noCompiler = findCompiler() === null;
if (noCompiler) console.warn('skipped: no C compiler, so ranks cannot share memory');

const SEQUENCE = 24;
const base = configOfDepth(2, {
  vocabulary: 60,
  context: SEQUENCE,
  width: 32,
  heads: 4,
  keyValueHeads: 2,
  headSize: 8,
});
const lora: Lora = { rank: 3, alpha: 12, targets: TARGETS, rows: [5, 58, 59] };
const E = 'model.embed_tokens.weight';
const ROWS = 'model.embed_tokens.token_adapter.trainable_tokens_delta';

const open = (config: ModelConfig, engine: 'cpu' | 'reference' = 'cpu') =>
  openLearner(
    config,
    { batch: 2, sequence: SEQUENCE, threads: 1, engine, seed: 3, documents: true, parallel: ALONE },
    alone(),
  );
const fill: Fill = (slot, into) => {
  for (let i = 0; i < into.tokens.length; i++) {
    into.tokens[i] = (7 * i + slot * 11 + ((i * i) % 13)) % 60;
    into.targets[i] = (i + slot) % 4 === 0 ? -1 : (i * 5 + slot) % 60;
    into.documents![i] = i % SEQUENCE < 9 ? 0 : 1;
  }
};
const step = (learner: Learner, n: number, rate = 1e-2) => {
  const { lossSum, tokens } = learner.accumulate(2, fill);
  learner.update({
    step: n,
    learningRate: rate,
    gradientScale: 1 / tokens,
    clip: Infinity,
    beta1: 0.9,
    beta2: 0.95,
    epsilon: 1e-8,
    weightDecay: 0,
  });
  return lossSum / tokens;
};
const values = (learner: Learner): number[] => {
  const all: number[] = [];
  learner.values(2, fill, (_, v) => all.push(...v));
  return all;
};
const weight = (learner: Learner, name: string) => learner.collect(name, 'weight')!;

/** The gradients of a first update: the first moment began at 0. */
const gradient = (learner: Learner, name: string) =>
  Float64Array.from(learner.collect(name, 'first')!, (m) => m / (1 - 0.9));

/** Adapters that say something. */
function stir(learner: Learner): void {
  learner.tensors.forEach(({ name, shape }, i) => {
    if (/lora_B|delta/.test(name))
      learner.place(name, 'weight', Float32Array.from(normals(shape[0]! * shape[1]!, i + 1, 0.05)));
  });
}

/** A model of merged weights. */
function merged(from: Learner, engine: 'cpu' | 'reference' = 'cpu'): Learner {
  const learner = open(mergedConfig(from.config), engine);
  for (const { name } of learner.tensors) {
    const adapter = adapterOf(name, lora);
    const w = weight(from, name);
    learner.place(
      name,
      'weight',
      adapter ? mergeAdapter(w, weight(from, adapter.a), weight(from, adapter.b), lora) : w,
    );
  }
  return learner;
}

const farthest = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from(a, (x, i) => Math.abs(x - b[i]!)).reduce((most, d) => Math.max(most, d), 0);

test('at first an adapter says nothing; A is spread evenly within ±1/√in', () => {
  const [plain, adapted] = [open(base), open({ ...base, lora })];
  expect(farthest(values(plain), values(adapted))).toBe(0);
  const a = weight(adapted, 'model.layers.1.mlp.down_proj.lora_A.weight');
  const bound = 1 / Math.sqrt(base.feedForward);
  expect(Math.max(...a.map(Math.abs))).toBeLessThan(bound);
  expect(Math.max(...a.map(Math.abs))).toBeGreaterThan(0.97 * bound);
  const variance = a.reduce((sum, x) => sum + x * x, 0) / a.length;
  expect(Math.abs(variance / (bound ** 2 / 3) - 1)).toBeLessThan(0.15);
  expect(weight(adapted, 'model.layers.1.mlp.down_proj.lora_B.weight').every((x) => x === 0)).toBe(true);
});

test('the merged model says what the adapter model says', () => {
  const adapted = open({ ...base, lora });
  stir(adapted);
  const said = values(adapted);
  expect(farthest(said, values(merged(adapted)))).toBeLessThan(1e-5);
  expect(farthest(said, values(open(base)))).toBeGreaterThan(0.05);
});

test.each([true, false])('gradients are those of the merged weights, by the chain rule (tied: %s)', (tied) => {
  const config = { ...base, tiedEmbeddings: tied };
  const adapted = open({ ...config, lora }, 'reference');
  stir(adapted);
  const whole = merged(adapted, 'reference');
  step(adapted, 1, 0);
  step(whole, 1, 0);
  for (const { name, shape, trained } of adapted.tensors) {
    if (trained) continue;
    const adapter = adapterOf(name, lora);
    const dW = gradient(whole, name);
    const rows = name.replace(/weight$/, 'token_adapter.trainable_tokens_delta');
    if (adapted.tensors.some((t) => t.name === rows)) {
      const width = shape[1]!;
      const wanted = lora.rows.flatMap((id) => [...dW.subarray(id * width, (id + 1) * width)]);
      expect(farthest(gradient(adapted, rows), wanted), rows).toBeLessThan(1e-6);
      expect(Math.max(...wanted.map(Math.abs)), rows).toBeGreaterThan(1e-4);
    }
    if (!adapter) continue;
    const [out, width] = shape as [number, number];
    const [a, b] = [weight(adapted, adapter.a), weight(adapted, adapter.b)];
    const s = lora.alpha / lora.rank;
    const dA = new Float64Array(a.length);
    const dB = new Float64Array(b.length);
    for (let o = 0; o < out; o++)
      for (let i = 0; i < width; i++)
        for (let k = 0; k < lora.rank; k++) {
          dA[k * width + i]! += s * b[o * lora.rank + k]! * dW[o * width + i]!;
          dB[o * lora.rank + k]! += s * dW[o * width + i]! * a[k * width + i]!;
        }
    const scale = Math.max(...dB.map(Math.abs));
    expect(farthest(gradient(adapted, adapter.a), dA), adapter.a).toBeLessThan(1e-5 * Math.max(scale, 1e-2));
    expect(farthest(gradient(adapted, adapter.b), dB), adapter.b).toBeLessThan(1e-5 * Math.max(scale, 1e-2));
  }
});

test('only adapters and their rows learn; frozen weights keep their bits and have no moments', () => {
  const adapted = open({ ...base, lora });
  const names = adapted.tensors.filter((t) => !t.trained).map((t) => t.name);
  const before = new Map(names.map((name) => [name, weight(adapted, name).slice()]));
  const losses = Array.from({ length: 30 }, (_, i) => step(adapted, i + 1));
  expect(losses.at(-1)).toBeLessThan(0.9 * losses[0]!);
  for (const [name, was] of before) {
    const is = weight(adapted, name);
    if (name !== E) expect(is, name).toEqual(was);
  }
  const [table, was, rows] = [weight(adapted, E), before.get(E)!, weight(adapted, ROWS)];
  for (let id = 0; id < 60; id++) {
    const row = (of: Float32Array) => of.slice(id * 32, (id + 1) * 32);
    const at = lora.rows.indexOf(id);
    if (at < 0) expect(row(table)).toEqual(row(was));
    else {
      expect(row(table)).not.toEqual(row(was));
      expect(row(table)).toEqual(rows.slice(at * 32, (at + 1) * 32));
    }
  }
  const trained = adapted.tensors.filter((t) => t.trained).reduce((n, t) => n + t.shape[0]! * t.shape[1]!, 0);
  expect(adapted.memory().optimizer).toBeLessThan(2 * 4 * trained + 256);
  expect(adapted.memory().optimizer).toBeGreaterThanOrEqual(2 * 4 * trained);
  expect(() => adapted.collect(E, 'first')).toThrow();
});

test('tensor ranks and pipelines are refused in one sentence', () => {
  const shape = { batch: 4, micro: 1, sequence: SEQUENCE };
  for (const mesh of [
    { data: 1, tensor: 2, pipeline: 1 },
    { data: 1, tensor: 1, pipeline: 2 },
  ])
    expect(() => checkParallel({ ...base, lora }, { ...ALONE, mesh }, shape)).toThrow(/^parallel: adapters on tensor/);
});

describe.skipIf(noCompiler)('a training of adapters', { timeout: 60_000 }, () => {
  const data = { mesh: { data: 2, tensor: 1, pipeline: 1 } };
  const meshes: [string, Partial<ParallelOptions>][] = [
    ['2 data ranks', data],
    ['2 data ranks, ZeRO-1', { ...data, zero: 1 }],
    ['2 data ranks, ZeRO-2', { ...data, zero: 2 }],
    ['one rank that makes norms and activations again', { recompute: 'selective' }],
    ['one rank that makes layers again', { recompute: 'full' }],
  ];
  test.each(meshes)('on %s is that of one rank to the last bit', async (_, options) => {
    const small = { layers: 2, steps: 15, adapters: 4 };
    const one = await courseOf(fixture({ ...ALONE, ...small }));
    const course = await courseOf(fixture({ ...options, ...small }));
    expect(compareCourses(one, course)).toMatchObject({ bits: true });
    expect(one.losses.at(-1)!).toBeLessThan(0.98 * one.losses[0]!);
  });
});
