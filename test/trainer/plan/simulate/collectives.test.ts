import { expect, test } from 'vitest';
import { findGpu } from '../../../../trainer/plan/gpus.ts';
import { messageTime, reduceTime, scatterTime } from '../../../../trainer/plan/simulate/collectives.ts';

const h100 = findGpu('h100');
const a100 = findGpu('a100');

/** GB/s as NCCL's tests report them: the bytes that pass each rank's link. */
const busBandwidth = (gpu: typeof h100, ranks: number, aHost: number) => {
  const bytes = 4e9;
  return (2 * (ranks - 1) * bytes) / ranks / reduceTime(gpu, { ranks, aHost }, bytes) / 1e9;
};

test.each([
  { why: '8 H100 over NVLink', gpu: h100, ranks: 8, aHost: 8, least: 350, most: 370 },
  { why: '8 A100 over NVLink', gpu: a100, ranks: 8, aHost: 8, least: 225, most: 245 },
  { why: '64 H100 on 8 hosts, 8 ports each', gpu: h100, ranks: 64, aHost: 8, least: 340, most: 370 },
  { why: '64 H100, one on each host', gpu: h100, ranks: 64, aHost: 1, least: 43, most: 48 },
])('$why all-reduce at $least to $most GB/s', ({ gpu, ranks, aHost, least, most }) => {
  expect(busBandwidth(gpu, ranks, aHost)).toBeGreaterThan(least);
  expect(busBandwidth(gpu, ranks, aHost)).toBeLessThan(most);
});

test('a large reduce-scatter moves (n − 1)/n of its bytes; one rank moves nothing', () => {
  const group = { ranks: 16, aHost: 1 };
  const [half, whole] = [scatterTime(h100, group, 5e9), scatterTime(h100, group, 10e9)];
  expect(whole - half).toBeCloseTo(((15 / 16) * 5e9) / (50e9 * 0.93), 4);
  expect(scatterTime(h100, { ranks: 1, aHost: 1 }, 1e9)).toBe(0);
  expect(reduceTime(h100, { ranks: 1, aHost: 1 }, 1e9)).toBe(0);
});

test('small ones are latency: it grows with the ranks, faster around a ring than up a tree', () => {
  const small = (ranks: number) => scatterTime(h100, { ranks, aHost: 1 }, 1024);
  expect(small(128) / small(16)).toBeGreaterThan(5);
  const reduce = (ranks: number) => reduceTime(h100, { ranks, aHost: 1 }, 1024);
  expect(reduce(128) / reduce(16)).toBeLessThan(2.5);
  expect(reduce(128)).toBeLessThan(2 * small(128));
});

test('hops are longer in a larger network', () => {
  const [few, many] = [32, 1000].map((hosts) => messageTime(h100, 1e6, false, hosts));
  expect(many!.latency).toBeGreaterThan(few!.latency);
  expect(many!.taken).toBe(few!.taken);
  expect(messageTime(h100, 1e6, true, 1).taken).toBeLessThan(few!.taken);
});
