import { expect, test } from 'vitest';
import {
  bestInterval,
  checkpointTime,
  expectedEffective,
  simulateFailures,
} from '../../../../trainer/plan/simulate/failures.ts';
import { FAILURES } from '../../../../trainer/plan/simulate/constants.ts';

const llama3 = { gpus: 16_384, node: 8, parameters: 405e9, seconds: 54 * 86_400 };
const mean = (numbers: number[]) => numbers.reduce((sum, n) => sum + n, 0) / numbers.length;

test('54 days of Llama 3: 419 failures in the mean, more than 90 % of the time effective', () => {
  const runs = Array.from({ length: 200 }, (_, seed) => simulateFailures({ ...llama3, seed }));
  expect(runs[0]!.expected).toBeCloseTo(419, 6);
  // The deviation of a count of 419 is 20.5; of a mean of 200 counts, 1.4.
  expect(Math.abs(mean(runs.map((r) => r.failures)) - 419)).toBeLessThan(5);
  expect(Math.min(...runs.map((r) => r.effective))).toBeGreaterThan(0.9);
  expect(mean(runs.map((r) => r.effective))).toBeCloseTo(expectedEffective({ ...llama3, rate: FAILURES }), 3);
});

test('the time adds up, and the same seed gives the same run', () => {
  const run = simulateFailures({ ...llama3, seed: 7 });
  expect(run.effective + run.checkpoints + run.lost + run.restarts).toBeCloseTo(1, 9);
  expect(simulateFailures({ ...llama3, seed: 7 })).toEqual(run);
  expect(simulateFailures({ ...llama3, seed: 8 })).not.toEqual(run);
});

test('the interval is the best one: half and twice lose more', () => {
  const [checkpoint, between, restart] = [30, 20_000, 600];
  const best = bestInterval(checkpoint, between, restart);
  const kept = (interval: number) => interval / Math.expm1((interval + checkpoint) / between);
  expect(kept(best)).toBeGreaterThan(kept(best / 2));
  expect(kept(best)).toBeGreaterThan(kept(best * 2));
  expect(kept(best) / Math.max(...Array.from({ length: 400 }, (_, i) => kept(best * (0.5 + i / 200))))).toBeGreaterThan(
    0.9999,
  );
});

test('checkpoints take as long as the slower of hosts and storage', () => {
  expect(checkpointTime(405e9, 16_384, 8)).toBeCloseTo(5 + (14 * 405e9) / 2e12, 3);
  expect(checkpointTime(1e9, 8, 8)).toBeCloseTo(5 + 14, 6);
});

test('without failures all of the time is left', () => {
  const run = simulateFailures({ ...llama3, rate: 0, seed: 1 });
  expect(run).toMatchObject({ failures: 0, expected: 0, effective: 1, lost: 0 });
  expect(expectedEffective({ ...llama3, rate: 0 })).toBe(1);
});
