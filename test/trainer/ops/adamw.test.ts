import { expect, test } from 'vitest';
import { findCompiler } from '../../../core/native/compile.ts';
import { openCpu } from '../../../trainer/engines/cpu/engine.ts';
import type { Engine } from '../../../trainer/engines/engine.ts';
import { openReference } from '../../../trainer/engines/reference.ts';
import { adamw } from '../../../trainer/ops/adamw/op.ts';
import type { Numbers, Shape, Tensor } from '../../../trainer/ops/define.ts';
import { gradientNorm, normLength } from '../../../trainer/ops/gradient-norm/op.ts';
import { distance, normals } from './harness.ts';

const noCompiler = findCompiler() === null;
if (noCompiler) console.warn('skipped: no C compiler, so the CPU engine is not compared');

interface Hyper {
  learningRate: number;
  gradientScale: number;
  clip: number;
  weightDecay: number;
  step: number;
}
const usual: Hyper = { learningRate: 1e-3, gradientScale: 1, clip: Infinity, weightDecay: 0.1, step: 1 };
const [beta1, beta2, epsilon] = [0.9, 0.95, 1e-8];

const tensor = (name: string, shape: Shape, type: Tensor['type'] = 'f32'): Tensor => ({
  name,
  shape,
  type,
  zone: 'inputs',
});

/** One norm and one update of `size` numbers of which the first `decayed` decay. */
function update(engine: Engine, floatBytes: 4 | 8, size: number, decayed: number, given: Partial<Hyper> = {}) {
  const hyper = { ...usual, ...given };
  const make = (length: number, seed: number, positive = false): Numbers => {
    const values = normals(length, seed).map((x) => (positive ? x * x : x));
    return floatBytes === 8 ? values : Float32Array.from(values);
  };
  const views = {
    weight: make(size, 1),
    first: make(size, 2),
    second: make(size, 3, true),
    gradient: make(size, 4),
    norm: new Float64Array(normLength(size)),
    hyper: Float64Array.from([
      hyper.learningRate,
      hyper.gradientScale,
      hyper.clip,
      beta1,
      beta2,
      epsilon,
      hyper.weightDecay,
      1 - beta1 ** hyper.step,
      1 - beta2 ** hyper.step,
    ]),
  };
  const t = (name: keyof typeof views) =>
    tensor(name, [views[name].length], name === 'norm' || name === 'hyper' ? 'f64' : 'f32');
  const calls = [
    gradientNorm({ norm: t('norm'), gradient: t('gradient') }, { size }),
    adamw(
      {
        weight: t('weight'),
        first: t('first'),
        second: t('second'),
        gradient: t('gradient'),
        norm: t('norm'),
        hyper: t('hyper'),
      },
      { size, decayed },
    ),
  ];
  const before = Float64Array.from(views.weight);
  engine.bind(calls.map((c) => ({ ...c, views: c.tensors.map((x) => views[x.name as keyof typeof views]) })))();
  return { ...views, before };
}

const rows = [
  { size: 1, decayed: 0 },
  { size: 33, decayed: 33 },
  { size: 1000, decayed: 517 },
  { size: 4096 * 3 + 5, decayed: 4096 },
];

test.skipIf(noCompiler).each(rows)(
  'C agrees with float64 for $size numbers, to the bit for any number of threads',
  ({ size, decayed }) => {
    for (const given of [{}, { step: 10, gradientScale: 0.25, clip: 0.5 }]) {
      const wanted = update(openReference(), 8, size, decayed, given);
      const [one, three] = [1, 3].map((threads) => {
        const engine = openCpu(threads)!;
        const result = update(engine, 4, size, decayed, given);
        engine.close();
        return result;
      });
      for (const name of ['weight', 'first', 'second'] as const)
        expect(distance(one![name], wanted[name]), name).toBeLessThan(1e-6);
      expect(Math.abs(one!.norm[0]! / wanted.norm[0]! - 1)).toBeLessThan(1e-6);
      expect(three).toEqual(one);
    }
  },
);

test('the first step of a fresh optimizer moves every weight by the rate, against its gradient', () => {
  const engine = openReference();
  // from zero moments: m/c1 = g, √(s/c2) = |g|
  const zero = { weight: Float64Array.of(1, 1), first: new Float64Array(2), second: new Float64Array(2) };
  const views = [
    zero.weight,
    zero.first,
    zero.second,
    Float64Array.of(3, -0.2),
    Float64Array.of(1),
    Float64Array.of(0.01, 1, Infinity, beta1, beta2, 0, 0, 1 - beta1, 1 - beta2),
  ];
  const call = adamw(
    Object.fromEntries(
      ['weight', 'first', 'second', 'gradient', 'norm', 'hyper'].map((n) => [n, tensor(n, [2])]),
    ) as Record<'weight' | 'first' | 'second' | 'gradient' | 'norm' | 'hyper', Tensor>,
    { size: 2, decayed: 2 },
  );
  engine.bind([{ ...call, views }])();
  expect(zero.weight[0]).toBeCloseTo(0.99, 12);
  expect(zero.weight[1]).toBeCloseTo(1.01, 12);
});

test('decay pulls on the first numbers only, by rate times decay', () => {
  const engine = openReference();
  const on = update(engine, 8, 10, 4);
  const off = update(engine, 8, 10, 4, { weightDecay: 0 });
  for (let i = 0; i < 10; i++)
    expect(on.weight[i]! - off.weight[i]!).toBeCloseTo(i < 4 ? -usual.learningRate * 0.1 * on.before[i]! : 0, 12);
});

test('clipping scales the gradient to the given norm', () => {
  const engine = openReference();
  const { norm } = update(engine, 8, 100, 0);
  const clipped = update(engine, 8, 100, 0, { clip: norm[0]! / 4 });
  const scaled = update(engine, 8, 100, 0, { gradientScale: 0.25 });
  expect(distance(clipped.weight, scaled.weight)).toBeLessThan(1e-8);
});

test('a norm that is not finite changes nothing', () => {
  const engine = noCompiler ? openReference() : openCpu(2)!;
  for (const gradientScale of [NaN, Infinity]) {
    const { weight, before } = update(engine, 4, 33, 33, { gradientScale });
    expect(Float64Array.from(weight)).toEqual(before);
  }
});
