import { loadNative } from '../../core/native/load.ts';

/** Signature functions by default: enough for 22 bands of 5 rows. A longer signature extends a shorter one. */
export const FUNCTIONS = 112;

const LANES = 8;
const MASK = (1n << 64n) - 1n;

const UNIT = {
  name: 'minhash',
  sources: ['datasets/dedup/minhash.c'],
  flags: ['-O3'],
  functions: {
    garner_minhash: {
      returns: 'void',
      arguments: [
        { name: 'x', type: 'u64*', length: (s: Record<string, number>) => s['n']! },
        { name: 'n', type: 'i64' },
        { name: 'a', type: 'u64*', length: (s: Record<string, number>) => s['count']! },
        { name: 'count', type: 'i64' },
        { name: 'out', type: 'i64*', length: (s: Record<string, number>) => s['count']! },
      ],
    },
  },
} as const;

/** For each multiplier the least of a·x mod 2^64 as a signed number, over all x; 2^63 − 1 where there is no x. */
export type MinhashKernel = (x: BigUint64Array, a: BigUint64Array, out: BigInt64Array) => void;

let chosen: MinhashKernel | undefined;

/** The C kernel, or its twin where this machine has no compiler. */
export function minhashKernel(): MinhashKernel {
  if (chosen) return chosen;
  const library = loadNative(UNIT);
  chosen = library ? (x, a, out) => void library.call['garner_minhash']!(x, x.length, a, a.length, out) : twin;
  return chosen;
}

/** What a person should be told about the kernels here, or null. */
export const slowNotice = (): string | null =>
  minhashKernel() === twin ? 'no C compiler: duplicates are sought in TypeScript, some fifty times slower' : null;

/**
 * The odd multipliers of `count` functions: splitmix64 from one draw of the seed (Steele et al. 2014). h(x) = a·x mod 2^64
 * needs no addend, since x is well mixed already and an addend only turns the circle.
 */
export function multipliers(count: number, seed: number): BigUint64Array {
  let state = splitmix(BigInt(seed) & MASK).value;
  return BigUint64Array.from({ length: count }, () => {
    const next = splitmix(state);
    state = next.state;
    return next.value | 1n;
  });
}

function splitmix(state: bigint): { state: bigint; value: bigint } {
  const next = (state + 0x9e3779b97f4a7c15n) & MASK;
  let z = next;
  z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & MASK;
  z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & MASK;
  return { state: next, value: z ^ (z >> 31n) };
}

/** The kernel in TypeScript: 64-bit products from 16- and 32-bit parts, which are exact in a double. */
export const twin: MinhashKernel = (x, a, out) => {
  const values = new Uint32Array(x.buffer, x.byteOffset, x.length * 2);
  const factors = new Uint32Array(a.buffer, a.byteOffset, a.length * 2);
  const minima = new Int32Array(out.buffer, out.byteOffset, out.length * 2);
  for (let f = 0; f < a.length; f++) {
    const aLow = factors[2 * f]!;
    const aHigh = factors[2 * f + 1]!;
    const a0 = aLow & 0xffff;
    const a1 = aLow >>> 16;
    let leastHigh = 0x7fffffff;
    let leastLow = 0xffffffff;
    for (let i = 0; i < values.length; i += 2) {
      const low = values[i]!;
      const x0 = low & 0xffff;
      const x1 = low >>> 16;
      const first = a0 * x0;
      const second = a1 * x0 + (first >>> 16);
      const third = a0 * x1 + (second & 0xffff);
      const carried = a1 * x1 + (second >>> 16) + (third >>> 16);
      const high = (carried + Math.imul(aLow, values[i + 1]!) + Math.imul(aHigh, low)) | 0;
      if (high > leastHigh) continue;
      const product = ((third << 16) | (first & 0xffff)) >>> 0;
      if (high < leastHigh || product < leastLow) {
        leastHigh = high;
        leastLow = product;
      }
    }
    minima[2 * f] = leastLow;
    minima[2 * f + 1] = leastHigh;
  }
};

/**
 * Makes the function from shingle hashes to a signature: `count` minima of 64 bits, each function's own. The share of equal
 * minima of two signatures estimates their Jaccard similarity s with a standard error of √(s(1−s)/count).
 */
export function createSigner(
  count: number,
  seed: number,
  kernel = minhashKernel(),
): (x: BigUint64Array) => BigInt64Array {
  const padded = Math.ceil(count / LANES) * LANES;
  const a = multipliers(padded, seed);
  return (x) => {
    const out = new BigInt64Array(padded);
    kernel(x, a, out);
    return out.subarray(0, count);
  };
}
