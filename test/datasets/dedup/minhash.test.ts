import { expect, test } from 'vitest';
import { createShingler } from '../../../core/text/shingles.ts';
import { bandKeys, chanceOf, chooseBands } from '../../../datasets/dedup/bands.ts';
import { createSigner, FUNCTIONS, minhashKernel, multipliers, twin } from '../../../datasets/dedup/minhash.ts';
import { leastMatches } from '../../../datasets/dedup/leader.ts';
import { dice, jsonLines, madeText } from '../lake.ts';
import { sharedData } from '../../shared.ts';

/** `n` well-mixed 64-bit values. */
function values(seed: number, n: number): BigUint64Array {
  const roll = dice(seed);
  return BigUint64Array.from({ length: n }, () => (BigInt(roll(2 ** 32)) << 32n) | BigInt(roll(2 ** 32)));
}
const extremes = BigUint64Array.of(
  0n,
  1n,
  2n ** 63n,
  2n ** 63n - 1n,
  2n ** 64n - 1n,
  0xffff_ffffn,
  0xffff_ffff_0000_0000n,
);

test('the C kernel and its twin give the same bits', () => {
  expect(minhashKernel()).not.toBe(twin);
  const real = sharedData('dedup/planted-chinese.jsonl.gz');
  const shingle = createShingler('plain');
  const sets = [
    new BigUint64Array(0),
    extremes,
    ...[1, 2, 3, 50, 777].map((n) => values(n, n)),
    ...(real
      ? jsonLines<{ text: string }>(real)
          .slice(0, 20)
          .map((d) => shingle(d.text).slice())
      : []),
  ];
  for (const count of [8, 56, 64, FUNCTIONS, 120])
    for (const set of sets) expect(createSigner(count, 1)(set)).toEqual(createSigner(count, 1, twin)(set));
});

test('a minimum is that of a·x mod 2^64 as a signed number', () => {
  const a = multipliers(16, 3);
  const set = values(9, 40);
  const expected = [...a].map((f) =>
    [...set].map((x) => BigInt.asIntN(64, f * x)).reduce((m, r) => (r < m ? r : m), 2n ** 63n - 1n),
  );
  expect([...createSigner(16, 3)(set)]).toEqual(expected);
});

test('multipliers are odd, all different, and a longer list extends a shorter one', () => {
  const long = multipliers(1024, 1);
  expect(new Set(long).size).toBe(1024);
  expect([...long].every((a) => a % 2n === 1n)).toBe(true);
  expect(multipliers(112, 1)).toEqual(long.slice(0, 112));
  expect(multipliers(112, 2)).not.toEqual(long.slice(0, 112));
});

test('frozen: these minima and keys stand in stored lakes', () => {
  const signature = createSigner(FUNCTIONS, 1)(createShingler('plain')('the quick brown fox jumps over the lazy dog'));
  const keys = new Int32Array(18);
  bandKeys(signature, { bands: 18, rows: 5 }, keys);
  expect([signature[0], signature[1], signature[111]].map(String)).toEqual(FROZEN.minima);
  expect([keys[0], keys[1], keys[17]]).toEqual(FROZEN.keys);
});
const FROZEN = {
  minima: ['-5410451953729740303', '-7488534439844432863', '-7994526942067395683'],
  keys: [559945646, -2032559330, -503410167],
};

/** Two sets of `union` values together, of which the first `inter` are in both. */
function pairOf(seed: number, inter: number, union: number): [BigUint64Array, BigUint64Array] {
  const all = values(seed, union);
  const half = inter + ((union - inter) >> 1);
  return [all.slice(0, half), BigUint64Array.of(...all.slice(0, inter), ...all.slice(half))];
}

test('the share of equal minima estimates Jaccard without bias, with the error that theory says', () => {
  const sign = createSigner(FUNCTIONS, 1);
  const trials = 400;
  for (const s of [0.5, 0.8, 0.9]) {
    const errors = Array.from({ length: trials }, (_, i) => {
      const [a, b] = pairOf(1000 * s + i, 100 * s, 100).map(sign) as [BigInt64Array, BigInt64Array];
      let equal = 0;
      for (let f = 0; f < FUNCTIONS; f++) if (a[f] === b[f]) equal++;
      return equal / FUNCTIONS - s;
    });
    const theory = Math.sqrt((s * (1 - s)) / FUNCTIONS);
    const mean = errors.reduce((x, y) => x + y, 0) / trials;
    const spread = Math.sqrt(errors.reduce((x, y) => x + y * y, 0) / trials);
    expect(Math.abs(mean)).toBeLessThan((4 * theory) / Math.sqrt(trials));
    expect(spread / theory).toBeGreaterThan(0.85);
    expect(spread / theory).toBeLessThan(1.15);
  }
});

test('pairs share a band as often as 1 − (1 − s^rows)^bands says', () => {
  const banding = { bands: 14, rows: 8 };
  const sign = createSigner(FUNCTIONS, 1);
  const [one, two] = [new Int32Array(14), new Int32Array(14)];
  const trials = 600;
  for (const s of [0.6, 0.7, 0.8]) {
    let found = 0;
    for (let i = 0; i < trials; i++) {
      const [a, b] = pairOf(7000 * s + i, 100 * s, 100).map(sign) as [BigInt64Array, BigInt64Array];
      bandKeys(a, banding, one);
      bandKeys(b, banding, two);
      if (one.some((key, k) => key === two[k])) found++;
    }
    const chance = chanceOf(s, banding);
    expect(Math.abs(found / trials - chance)).toBeLessThan(4 * Math.sqrt((chance * (1 - chance)) / trials));
  }
});

test.each([
  [0.7, 0.9, 112, 13, 5],
  [0.8, 0.9, 112, 13, 8],
  [0.8, 0.999, 112, 18, 5],
  [0.8, 0.99, 256, 26, 8],
  [0.9, 0.999, 512, 30, 15],
])('threshold %d, recall %d, at most %d functions: %d × %d', (threshold, recall, functions, bands, rows) => {
  expect(chooseBands(threshold, recall, functions)).toEqual({ bands, rows });
});

test('any threshold has a banding within its functions', () => {
  for (const threshold of [0.001, 0.05, 0.3, 0.5, 0.99, 1])
    for (const functions of [8, 112]) {
      const { bands, rows } = chooseBands(threshold, 0.999, functions);
      expect(bands * rows).toBeLessThanOrEqual(functions);
      expect(bands).toBeGreaterThan(0);
    }
});

test('the sketch turns away no pair at the threshold', () => {
  expect(leastMatches(112, 0.8)).toBeGreaterThan(60);
  expect(leastMatches(112, 0.8)).toBeLessThan(80);
  expect(leastMatches(112, 1)).toBe(112);
  expect(leastMatches(112, 0.01)).toBe(0);
});

test('every text of 1 to 4 tokens has a signature, an empty one has no shingle', () => {
  const shingle = createShingler('plain');
  expect(shingle('').length).toBe(0);
  for (let n = 1; n <= 6; n++) expect(shingle(madeText(n, n)).length).toBe(Math.max(1, n - 4));
});
