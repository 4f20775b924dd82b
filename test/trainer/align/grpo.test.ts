import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  decisions as decisionsTable,
  metrics as metricsTable,
  rollouts as rolloutsTable,
} from '../../../core/records/index.ts';
import { grpoMethod, type GrpoPlan } from '../../../trainer/align/grpo.ts';
import { partsOf } from '../../../trainer/align/parts.ts';
import { grpoSection } from '../../../trainer/align/policy-recipe.ts';
import type { Attempt } from '../../../trainer/align/rollouts.ts';
import { checkpointsIn } from '../../../trainer/checkpoint/checkpoint.ts';
import { openBatch, type Batch } from '../../../trainer/loader/samples.ts';
import type { Fill, Learner } from '../../../trainer/parallel/learner.ts';
import { lakeWithOrder, outputs, rowsOf, runOrder, stepsOf, TOY, toySums, type Moment } from './toy-sums.ts';

let root = '';
let checkpoint = '';
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'garner-grpo-'));
  checkpoint = (await toySums(join(root, 'base'))).checkpoint;
});
afterAll(() => rmSync(root, { recursive: true }));

const lakeOf = (name: string, over: object = {}) =>
  lakeWithOrder(join(root, name), 'grpo', { ...grpoSection.parse({ ...TOY, ...over }), name: 'toy-grpo' }, checkpoint);

test('rollouts are rows, with rewards, advantages and what came of the steps', async () => {
  const lake = lakeOf('plain');
  expect(await runOrder(lake)).toBe('exit 0');
  const rows = await rowsOf(join(lake, 'rollouts/key/rollouts.parquet'), rolloutsTable);
  expect(rows).toHaveLength(4 * 4 * 4);
  for (let from = 0; from < rows.length; from += 4) {
    const group = rows.slice(from, from + 4);
    expect(new Set(group.map((r) => r.prompt_id)).size).toBe(1);
    expect(group.map((r) => r.sample)).toEqual([0, 1, 2, 3]);
    const mean = group.reduce((sum, r) => sum + r.reward!, 0) / 4;
    for (const r of group) {
      expect(r.advantage).toBeCloseTo(r.reward! - mean, 12);
      const { sum, format, length } = r.rewards as Record<'sum' | 'format' | 'length', number>;
      expect(r.reward).toBeCloseTo(sum + format / 2 + length / 5, 12);
      expect(r.log_probabilities).toHaveLength(r.tokens.length);
      expect(r.step > 1 || r.log_probabilities.join() === r.reference_log_probabilities!.join()).toBe(true);
    }
  }
  const found = await rowsOf(join(lake, 'metrics/key/metrics.parquet'), metricsTable);
  const named = (name: string) => found.filter((m) => m.name === name).map((m) => [m.step, m.value]);
  expect(named('kl')[0]).toEqual([1, 0]);
  expect(named('kl').at(-1)![1]).not.toBe(0);
  expect(named('selection_pass_1').map(([step]) => step)).toEqual([2, 4]);
  for (const name of ['reward', 'length', 'entropy', 'clip_fraction', 'without_variance'])
    expect(named(name)).toHaveLength(4);
  // the best checkpoint and the last one are kept
  expect(checkpointsIn(join(lake, 'runs/key/checkpoints')).length).toBeLessThanOrEqual(2);
});

test('killed inside rollouts, rows and checkpoints, and started again: the same files to the last bit', async () => {
  const undisturbed = join(root, 'plain');
  const lake = lakeOf('killed');
  const moments: Moment[] = [
    ['step', 1],
    ['write', 20],
    ['rename', 3],
    ['write', 45],
  ];
  for (const moment of moments) expect([moment, await runOrder(lake, moment)]).toEqual([moment, 'SIGKILL']);
  expect(await runOrder(lake)).toBe('exit 0');
  expect(await stepsOf(lake)).toEqual(await stepsOf(undisturbed));
  expect(outputs(lake)).toEqual(outputs(undisturbed));
}, 120_000);

test('two ranks: the losses of one', async () => {
  const [one, two] = [join(root, 'plain'), lakeOf('two', { ranks: 2 })];
  expect(await runOrder(two)).toBe('exit 0');
  const [a, b] = [await stepsOf(one), await stepsOf(two)];
  expect(b.map((r) => r.step)).toEqual(a.map((r) => r.step));
  a.forEach((row, i) => {
    expect(Math.abs(row.loss - b[i]!.loss)).toBeLessThan(1e-5);
    expect(Math.abs(row.gradient_norm / b[i]!.gradient_norm - 1)).toBeLessThan(1e-4);
  });
}, 120_000);

test('an answer whose reward fails is left out with a decision, and nothing else is lost', async () => {
  const lake = lakeOf('failing', { rewards: [{ name: 'exact' }], steps: 2, selection: { every: 2, prompts: 4 } });
  expect(await runOrder(lake)).toBe('exit 0');
  const rows = await rowsOf(join(lake, 'rollouts/key/rollouts.parquet'), rolloutsTable);
  const out = await rowsOf(join(lake, 'decisions/grpo/key/decisions.parquet'), decisionsTable);
  expect(rows).toHaveLength(2 * 4 * 4);
  const failed = rows.filter((r) => r.reward === null);
  expect(failed.length).toBeGreaterThan(0);
  expect(failed.length).toBeLessThan(rows.length);
  expect(failed.every((r) => r.advantage === null && Object.keys(r.rewards).length === 0)).toBe(true);
  expect(out.map((d) => [d.subject_id, d.stage, d.rule, d.verdict])).toEqual(
    failed.map((r) => [`toy-grpo/${r.step}/${r.prompt_id}/${r.sample}`, 'grpo', 'reward_threw', 'drop']),
  );
}, 60_000);

/** A learner whose −ln p are given, and which remembers by what they are multiplied. */
function fakeLearner(minus: (token: number) => number) {
  const shape = { rows: 2, sequence: 16, data: 1, padding: 0 };
  const scaled: Map<number, number> = new Map();
  let updates = 0;
  const each = (slots: number, fill: Fill, then: (batch: Batch, slot: number) => void) => {
    for (let slot = 0; slot < slots; slot++) {
      const batch = openBatch(shape.rows, shape.sequence, true);
      fill(slot, batch);
      then(batch, slot);
    }
  };
  const learner = {
    values: (slots: number, fill: Fill, to: (slot: number, values: Float32Array) => void) =>
      each(slots, fill, (batch, slot) => to(slot, Float32Array.from(batch.targets, minus))),
    accumulate: (slots: number, fill: Fill) =>
      each(slots, fill, ({ targets, scales }) =>
        targets.forEach((target, i) => void (target >= 0 && scaled.set(target, scales[i]!))),
      ),
    sum: (numbers: ArrayLike<number>) => Float64Array.from(numbers),
    update: () => void updates++,
  };
  return { learner: learner as unknown as Learner, shape, scaled, updates: () => updates };
}

test('scales are the slopes of the loss by −ln p, by hand; an answer without a reward is left out', () => {
  // tokens 1, 2: answer with reward 1; 3: reward 0; 4: no reward
  const logps: Record<number, number> = { 1: -1, 2: -0.5, 3: -2, 4: -1 };
  const { learner, shape, scaled } = fakeLearner((t) => -(logps[t]! + (t === 2 ? 0.5 : 0.1)));
  const attempt = (ids: number[], reward: number | null): Attempt => ({
    prompt: { id: 'p', turns: [], reference: null, ids: [9, 9, 9] },
    sample: 0,
    ids,
    text: '',
    finish: 'stop',
    logps: ids.map((id) => logps[id]!),
    references: ids.map((id) => logps[id]! - 0.2),
    rewards: [],
    reward,
    fault: reward === null ? 'reward_threw' : null,
  });
  const p: GrpoPlan = {
    clip: { low: 0.2, high: 0.2 },
    beta: 0.1,
    scaled: false,
    aggregate: 'tokens',
    epochs: 1,
    parts: 1,
    group: 3,
    tokens: 4,
    seed: 1,
    shape,
  };
  const plan = { rate: {}, adam: {}, clip: 1 } as unknown as Parameters<typeof grpoMethod>[1];
  const attempts = [attempt([1, 2], 1), attempt([3], 0), attempt([4], null)];
  const taught = grpoMethod(p, plan).learn(1, learner, attempts);
  expect(taught.advantages).toEqual([0.5, -0.5, null]);
  expect(taught.weight).toBe(3);
  // now − reference is 0.1 + 0.2: the slope of β · k3 by ln π is −β · (e^−0.3 − 1)
  const k3 = -0.1 * Math.expm1(-0.3);
  expect(scaled.get(1)).toBeCloseTo(Math.exp(0.1) * 0.5 - k3, 6);
  expect(scaled.get(2)).toBeCloseTo(0.1 * Math.expm1(-0.7), 6);
  expect(scaled.get(3)).toBeCloseTo(-Math.exp(0.1) * 0.5 - k3, 6);
  expect(scaled.has(4)).toBe(false);
  expect(taught.metrics['clip_fraction']).toBeCloseTo(1 / 3, 12);
});

test('passes see every item once, in another order each step', () => {
  const items = Array.from({ length: 10 }, (_, i) => i);
  const parts = partsOf(items, { epochs: 2, parts: 3, seed: 1 }, 1);
  expect(parts.map((p) => p.length)).toEqual([3, 4, 3, 3, 4, 3]);
  for (const pass of [parts.slice(0, 3), parts.slice(3)]) expect(pass.flat().toSorted((a, b) => a - b)).toEqual(items);
  expect(parts).not.toEqual(partsOf(items, { epochs: 2, parts: 3, seed: 1 }, 2));
  expect(partsOf([], { epochs: 1, parts: 2, seed: 1 }, 1)).toEqual([[], []]);
});
