import { expect, test } from 'vitest';
import { openBatch } from '../../../trainer/loader/samples.ts';
import { orderedWindows, shuffledWindows, windowCount, type TokenStream } from '../../../trainer/loader/windows.ts';

const streamOf = (tokens: Uint16Array): TokenStream => ({
  tokens: tokens.length,
  read: (offset, length) => tokens.subarray(offset, offset + length),
});
const counting = (n: number, from = 0) => Uint16Array.from({ length: n }, (_, i) => from + i);
const options = { sequence: 4, endOfText: 9999, documentMask: true };

/** Row `k` as plain arrays. */
const row = (samples: ReturnType<typeof orderedWindows>, k: number, mask = true) => {
  const batch = openBatch(2, 4, mask);
  samples.fill(k, batch, 1);
  const second = (a: Int32Array) => [...a.subarray(4)];
  return {
    tokens: second(batch.tokens),
    targets: second(batch.targets),
    documents: batch.documents && second(batch.documents),
  };
};

test('windows of T + 1 tokens with stride T; the rest is left out', () => {
  expect([0, 1, 4, 5, 8, 9, 12, 13].map((n) => windowCount(n, 4))).toEqual([0, 0, 0, 1, 1, 2, 2, 3]);
  const samples = orderedWindows(streamOf(counting(10)), options);
  expect(samples.count).toBe(2);
  expect(row(samples, 1)).toEqual({ tokens: [4, 5, 6, 7], targets: [5, 6, 7, 8], documents: [0, 0, 0, 0] });
});

test('a document ends with its end of text, and nothing is predicted across it', () => {
  const samples = orderedWindows(streamOf(Uint16Array.of(1, 2, 9999, 3, 9999, 4, 5, 6, 9999)), options);
  expect(row(samples, 0)).toEqual({ tokens: [1, 2, 9999, 3], targets: [2, 9999, -1, 9999], documents: [0, 0, 0, 1] });
  expect(row(samples, 1)).toEqual({ tokens: [9999, 4, 5, 6], targets: [-1, 5, 6, 9999], documents: [0, 1, 1, 1] });
});

test('without masks everything is predicted', () => {
  const samples = orderedWindows(streamOf(Uint16Array.of(1, 9999, 3, 4, 5)), { ...options, documentMask: false });
  expect(row(samples, 0, false)).toEqual({ tokens: [1, 9999, 3, 4], targets: [9999, 3, 4, 5], documents: null });
});

test('an epoch shows each window once, another epoch the same in another order; sample k needs no history', () => {
  const stream = streamOf(counting(4 * 50 + 1));
  const samples = shuffledWindows(stream, { ...options, seed: 3 });
  const starts = (from: number, of: typeof samples) =>
    Array.from({ length: 50 }, (_, i) => row(of, from + i).tokens[0]!);
  const [first, second] = [starts(0, samples), starts(50, samples)];
  expect(first.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => 4 * i));
  expect(second.toSorted((a, b) => a - b)).toEqual(first.toSorted((a, b) => a - b));
  expect(second).not.toEqual(first);
  const fresh = shuffledWindows(stream, { ...options, seed: 3 });
  expect([73, 12, 99, 0].map((k) => row(fresh, k).tokens[0])).toEqual([second[23], first[12], second[49], first[0]]);
  expect(starts(0, shuffledWindows(stream, { ...options, seed: 4 }))).not.toEqual(first);
});

test('a stream too short for one window is a sentence', () => {
  expect(() => shuffledWindows(streamOf(counting(4)), { ...options, seed: 1 })).toThrow(
    'the train split has 4 tokens, one row needs 5',
  );
});
