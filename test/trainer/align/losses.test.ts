import { afterAll, describe, expect, test } from 'vitest';
import { findCompiler } from '../../../core/native/compile.ts';
import {
  advantagesOf,
  groupAdvantages,
  grpo,
  k1,
  k3,
  ppoPolicy,
  ppoValue,
  whitened,
} from '../../../trainer/align/policy-losses.ts';
import {
  bradleyTerry,
  calibrationError,
  dpo,
  ipo,
  kto,
  ktoReference,
  minusLogSigmoid,
  sigmoid,
} from '../../../trainer/align/preference-losses.ts';
import { openCpu } from '../../../trainer/engines/cpu/engine.ts';
import type { Engine } from '../../../trainer/engines/engine.ts';
import { openReference } from '../../../trainer/engines/reference.ts';
import type { OpCase } from '../../../trainer/ops/case.ts';
import { crossEntropy } from '../../../trainer/ops/cross-entropy/op.ts';
import { linear } from '../../../trainer/ops/linear/op.ts';
import { score } from '../../../trainer/ops/score/op.ts';
import { distance, openCase } from '../ops/harness.ts';

const LN2 = Math.LN2;

describe('by hand', () => {
  test('Bradley–Terry', () => {
    expect(bradleyTerry(0, 0).loss).toBeCloseTo(LN2, 14);
    // σ(1) = 0.7310585786300049
    expect(bradleyTerry(1.5, 0.5).loss).toBeCloseTo(0.31326168751822286, 14);
    expect(bradleyTerry(1.5, 0.5).chosen).toBeCloseTo(-0.2689414213699951, 14);
    expect(bradleyTerry(1.5, 0.5, { margin: 1, centre: 0.01 }).loss).toBeCloseTo(LN2 + 0.04, 14);
    expect(bradleyTerry(-900, 900).loss).toBe(1800);
  });
  test('DPO starts at ln 2, IPO at 1/(4β²), KTO at ½', () => {
    expect(dpo(0, 0.1).loss).toBeCloseTo(LN2, 14);
    expect(dpo(0, 0.1).slope).toBeCloseTo(-0.05, 14);
    expect(ipo(0, 0.1).loss).toBeCloseTo(25, 12);
    expect(kto(0, 0, true, 0.1)).toEqual({ loss: 0.5, slope: -0.025 });
    expect(kto(0, 0, false, 0.1)).toEqual({ loss: 0.5, slope: 0.025 });
  });
  test('DPO, IPO and KTO away from there', () => {
    expect(dpo(10, 0.1).loss).toBeCloseTo(0.31326168751822286, 14);
    expect(dpo(10, 0.1, 0.1).loss).toBeCloseTo(0.9 * 0.31326168751822286 + 0.1 * 1.3132616875182228, 14);
    expect(ipo(3, 0.1)).toEqual({ loss: 4, slope: -4 });
    expect(kto(12, 2, true, 0.1, 2).loss).toBeCloseTo(2 * 0.2689414213699951, 14);
    expect(kto(12, 2, false, 0.1).loss).toBeCloseTo(0.7310585786300049, 14);
    expect(ktoReference([1, 2, 6])).toBe(3);
    expect(ktoReference([-1, -2])).toBe(0);
    expect(ktoReference([])).toBe(0);
  });
  test('PPO and its value', () => {
    const clip = { low: 0.2, high: 0.2 };
    const at = (ratio: number, advantage: number) => ppoPolicy(Math.log(ratio), 0, advantage, clip);
    expect(at(1.1, 2)).toMatchObject({ clipped: false });
    expect(at(1.1, 2).loss).toBeCloseTo(-2.2, 14);
    expect(at(1.5, 2)).toEqual({ loss: -2.4, slope: 0, clipped: true });
    expect(at(1.5, -2).loss).toBeCloseTo(3, 14);
    expect(at(0.5, -2)).toEqual({ loss: 1.6, slope: 0, clipped: true });
    expect(at(0.5, 2).slope).toBeCloseTo(-1, 14);
    expect(ppoPolicy(Math.log(1.25), 0, 1, { low: 0.2, high: 0.28 }).clipped).toBe(false);
    expect(ppoValue(1, 0, 2, 0.2)).toEqual({ loss: (1.8 * 1.8) / 2, slope: 0, clipped: true });
    expect(ppoValue(1, 0, -2, 0.2)).toEqual({ loss: 4.5, slope: 3, clipped: false });
    expect(ppoValue(0.1, 0, 2, 0.2)).toEqual({ loss: (1.9 * 1.9) / 2, slope: -1.9, clipped: false });
  });
  test('GAE', () => {
    const { advantages, aims } = advantagesOf([0, 0, 1], [0.5, 0.25, 0.5], { gamma: 1, lambda: 0.5 });
    expect(advantages).toEqual([-0.25 + 0.5 * (0.25 + 0.5 * 0.5), 0.25 + 0.5 * 0.5, 0.5]);
    expect(aims[2]).toBe(1);
    expect(advantagesOf([1, 1], [0, 0], { gamma: 0.5, lambda: 1 }).advantages).toEqual([1.5, 1]);
    expect(whitened([1, 3]).map((x) => Math.round(x * 1e6) / 1e6)).toEqual([-1, 1]);
  });
  test('GRPO', () => {
    expect(groupAdvantages([1, 0, 0, 1], false)).toEqual({ advantages: [0.5, -0.5, -0.5, 0.5], varied: true });
    // deviation of [1, 0, 0, 1] over n − 1: √(1/3)
    expect(groupAdvantages([1, 0, 0, 1], true).advantages[0]).toBeCloseTo(0.5 / (Math.sqrt(1 / 3) + 1e-4), 14);
    expect(groupAdvantages([0.3, 0.3], true)).toEqual({ advantages: [0, 0], varied: false });
    expect(k1(-1, -3)).toBe(2);
    expect(k3(-1, -3)).toBeCloseTo(Math.exp(-2) + 2 - 1, 14);
    expect(k3(-1, -1)).toBe(0);
    const clip = { low: 0.2, high: 0.2 };
    const found = grpo(Math.log(1.1) - 1, -1, 2, clip, { beta: 0.04, reference: -1 });
    expect(found.loss).toBeCloseTo(-2.2 + 0.04 * (1 / 1.1 - 1 + Math.log(1.1)), 14);
    expect(grpo(-1, -1, 2, clip, { beta: 0, reference: null }).loss).toBe(-2);
  });
  test('calibration error', () => {
    const logit = (p: number) => Math.log(p / (1 - p));
    // right 3 times of 4 at a confidence of 0.75; then at 0.9 half of the time
    const good = [1, 1, 1, -1].map((s) => s * logit(0.75));
    expect(calibrationError(good)).toBeCloseTo(0, 12);
    const vain = [1, -1].map((s) => s * logit(0.9));
    expect(calibrationError(vain)).toBeCloseTo(0.4, 12);
    expect(calibrationError([...good, ...vain])).toBeCloseTo((2 * 0.4) / 6, 12);
    expect(calibrationError([])).toBe(0);
    expect(minusLogSigmoid(3)).toBeCloseTo(-Math.log(sigmoid(3)), 14);
  });
});

/** A loss over the values of all places, and what the places are to be scaled by: dL/dv. */
interface Whole {
  name: string;
  /** values [N] → loss, dL/dv [N]. For losses of tokens a value is −ln p. */
  of: (values: ArrayLike<number>) => { loss: number; slopes: number[] };
  head: 'tokens' | 'score';
}

const ROWS = 12;
const VOCABULARY = 19;
/** What stands in for a reference or an older policy: far enough from the fixed logits for ratios other than 1. */
const before = (i: number) => 3 + ((i * 5) % 7) / 9;
const half = ROWS / 2;
const sumOf = (values: ArrayLike<number>, from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => before(from + i) - values[from + i]!).reduce((a, b) => a + b, 0);
const clip = { low: 0.2, high: 0.3 };

/** Two answers of six tokens each, chosen and rejected. */
const pair = (loss: (h: number) => { loss: number; slope: number }, mean = 1): Whole['of'] => {
  return (values) => {
    const { loss: value, slope } = loss((sumOf(values, 0, half) - sumOf(values, half, ROWS)) / mean);
    return { loss: value, slopes: Array.from({ length: ROWS }, (_, i) => ((i < half ? -1 : 1) * slope) / mean) };
  };
};
const tokenwise =
  (loss: (logp: number, old: number, i: number) => { loss: number; slope: number }, sign = -1): Whole['of'] =>
  (values) => {
    const found = Array.from({ length: ROWS }, (_, i) => loss(sign * values[i]!, sign * before(i), i));
    return { loss: found.reduce((sum, l) => sum + l.loss, 0), slopes: found.map((l) => sign * l.slope) };
  };
const advantage = (i: number) => ((i % 4) - 1.6) / 1.3;

const LOSSES: Whole[] = [
  {
    name: 'reward',
    head: 'score',
    of: (v) => {
      const found = Array.from({ length: half }, (_, i) =>
        bradleyTerry(v[i]!, v[i + half]!, { margin: 0.3, centre: 0.01 }),
      );
      return {
        loss: found.reduce((sum, l) => sum + l.loss, 0),
        slopes: [...found.map((l) => l.chosen), ...found.map((l) => l.rejected)],
      };
    },
  },
  { name: 'DPO', head: 'tokens', of: pair((h) => dpo(h, 0.1, 0.1)) },
  { name: 'IPO', head: 'tokens', of: pair((h) => ipo(h, 0.1), half) },
  {
    name: 'KTO',
    head: 'tokens',
    of: (v) => {
      const [a, b] = [kto(sumOf(v, 0, half), 0.4, true, 0.1), kto(sumOf(v, half, ROWS), 0.4, false, 0.1, 1.3)];
      return { loss: a.loss + b.loss, slopes: Array.from({ length: ROWS }, (_, i) => -(i < half ? a : b).slope) };
    },
  },
  { name: 'PPO', head: 'tokens', of: tokenwise((logp, old, i) => ppoPolicy(logp, old, advantage(i), clip)) },
  {
    name: 'PPO’s value',
    head: 'score',
    of: tokenwise((v, _, i) => ppoValue(v, ((i * 5) % 7) / 9 - 0.4, advantage(i), 0.2), 1),
  },
  {
    name: 'GRPO',
    head: 'tokens',
    of: tokenwise((logp, old, i) => grpo(logp, old, advantage(i), clip, { beta: 0.4, reference: old - 0.3 })),
  },
];

const engines: { name: string; engine: Engine; floatBytes: 4 | 8; tolerance: number }[] = [
  { name: 'float64', engine: openReference(), floatBytes: 8, tolerance: 1e-6 },
  ...(findCompiler() ? [{ name: 'float32, CPU', engine: openCpu(2)!, floatBytes: 4 as const, tolerance: 1e-4 }] : []),
];
if (engines.length === 1) console.warn('skipped: no C compiler, so float32 is not tested');
afterAll(() => engines.forEach(({ engine }) => engine.close()));

/** Fixed logits, or a head over fixed states, with the given scales. */
const caseOf = (head: Whole['head'], scales: (i: number) => number): OpCase => {
  const fixed = {
    targets: { shape: [ROWS], whole: (i: number) => (i * 7) % VOCABULARY },
    scales: { shape: [ROWS], fixed: scales },
  };
  return head === 'tokens'
    ? {
        name: head,
        inputs: { x: { shape: [ROWS, VOCABULARY] }, ...fixed },
        call: ({ x, targets, scales: s }) => crossEntropy({ logits: x!, targets: targets!, scales: s! }),
      }
    : {
        name: head,
        inputs: { x: { shape: [ROWS, VOCABULARY], scale: 0.3 }, w: { shape: [1, VOCABULARY] }, ...fixed },
        call: ({ x, w, targets, scales: s }) =>
          score({ y: linear({ x: x!, w: w! }).y, targets: targets!, scales: s! }, { from: 0, to: ROWS }),
      };
};

describe.each(engines)('on fixed logits, $name', ({ engine, floatBytes, tolerance }) => {
  const exact = openReference();
  test.each(LOSSES)('$name is what finite differences say', ({ of, head }) => {
    const plain = openCase(
      caseOf(head, () => 1),
      engine,
      floatBytes,
    );
    plain.forward();
    const { slopes } = of(Object.values(plain.outputs)[0]!);
    const learned = openCase(
      caseOf(head, (i) => slopes[i]!),
      engine,
      floatBytes,
    );
    learned.backward();
    // Differences are taken in float64: those of float32 would say nothing.
    const judge = openCase(
      caseOf(head, () => 1),
      exact,
      8,
    );
    const lossAt = (name: string, place: number, by: number) => {
      judge.reset();
      judge.inputs[name]![place]! += by;
      judge.forward();
      return of(Object.values(judge.outputs)[0]!).loss;
    };
    const h = 1e-5;
    for (const [name, gradient] of Object.entries(learned.gradients)) {
      const numeric = Array.from(gradient, (_, i) => (lossAt(name, i, h) - lossAt(name, i, -h)) / (2 * h));
      expect(distance(gradient, numeric), name).toBeLessThan(tolerance);
      expect(numeric.some((g) => Math.abs(g) > 1e-3)).toBe(true);
    }
  });
});

test('off the kinks: some tokens of the fixed logits are clipped and some are not, at no corner', () => {
  const run = openCase(
    caseOf('tokens', () => 1),
    openReference(),
    8,
  );
  run.forward();
  const values = Object.values(run.outputs)[0]!;
  const found = Array.from({ length: ROWS }, (_, i) => ({
    ratio: Math.exp(before(i) - values[i]!),
    ...ppoPolicy(-values[i]!, -before(i), advantage(i), clip),
  }));
  expect(new Set(found.map((f) => f.clipped)).size).toBe(2);
  for (const { ratio } of found)
    for (const corner of [0.8, 1, 1.3]) expect(Math.abs(ratio - corner)).toBeGreaterThan(1e-3);
});
