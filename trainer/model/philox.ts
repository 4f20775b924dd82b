/**
 * Philox4x32-10 (Salmon et al. 2011, doi:10.1145/2063384.2063405): four words of 32 bits from a counter and a key, so that
 * element k of a stream is the same on any engine, rank or sharding. Writes into `out`.
 */
export function philox(
  counter: readonly [number, number, number, number],
  key: readonly [number, number],
  out: Uint32Array,
): void {
  let [c0, c1, c2, c3] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < 10; round++) {
    const low0 = Math.imul(0xd2511f53, c0);
    const low2 = Math.imul(0xcd9e8d57, c2);
    const next0 = high(0xcd9e8d57, c2) ^ c1 ^ k0;
    const next2 = high(0xd2511f53, c0) ^ c3 ^ k1;
    [c0, c1, c2, c3] = [next0, low2, next2, low0];
    k0 = (k0 + 0x9e3779b9) | 0;
    k1 = (k1 + 0xbb67ae85) | 0;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}

/** The upper 32 bits of a product of two unsigned words. */
function high(a: number, b: number): number {
  const a0 = a & 0xffff;
  const a1 = a >>> 16;
  const b0 = b & 0xffff;
  const b1 = b >>> 16;
  const middle = a1 * b0 + Math.floor((a0 * b0) / 65536);
  const carried = a0 * b1 + (middle % 65536);
  return (a1 * b1 + Math.floor(middle / 65536) + Math.floor(carried / 65536)) | 0;
}

/** Fills an array with numbers spread evenly within ±bound. */
export function fillUniform(into: Float32Array, bound: number, seed: number, stream: number): void {
  const words = new Uint32Array(4);
  for (let i = 0; i < into.length; i++) {
    if (i % 4 === 0) philox([i / 4, 0, 0, 0], [seed | 0, stream | 0], words);
    into[i] = bound * (2 * (words[i % 4]! + 0.5) * 2 ** -32 - 1);
  }
}

/** Fills an array with normal numbers of mean 0: Box–Muller on pairs of words, in float64. `stream` tells tensors apart. */
export function fillNormal(into: Float32Array, deviation: number, seed: number, stream: number): void {
  const words = new Uint32Array(4);
  const uniform = (word: number) => (word + 0.5) * 2 ** -32;
  for (let i = 0; i < into.length; i += 4) {
    philox([(i / 4) >>> 0, 0, 0, 0], [seed | 0, stream | 0], words);
    for (let pair = 0; pair < 4 && i + pair < into.length; pair += 2) {
      const radius = deviation * Math.sqrt(-2 * Math.log(uniform(words[pair]!)));
      const angle = 2 * Math.PI * uniform(words[pair + 1]!);
      into[i + pair] = radius * Math.cos(angle);
      if (i + pair + 1 < into.length) into[i + pair + 1] = radius * Math.sin(angle);
    }
  }
}
