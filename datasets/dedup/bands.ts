/** How a signature is cut: two documents become candidates when all rows of one band agree. */
export interface Banding {
  bands: number;
  rows: number;
}

/** Chance that a pair of similarity `s` shares a band: 1 − (1 − s^rows)^bands. */
export const chanceOf = (s: number, { bands, rows }: Banding): number => 1 - (1 - s ** rows) ** bands;

/**
 * The banding that finds a pair at the threshold with at least the given recall, within a number of functions: of all that
 * do, the one with the least area under the chance below the threshold, which is the work of verification.
 * Where none reaches the recall, the one that comes nearest.
 */
export function chooseBands(threshold: number, recall: number, functions: number): Banding {
  let best: Banding = { bands: functions, rows: 1 };
  let bestArea = Infinity;
  for (let rows = 1; rows <= functions; rows++) {
    const bands = Math.max(1, Math.ceil(Math.log(1 - recall) / Math.log(1 - Math.min(threshold, 1 - 1e-9) ** rows)));
    if (bands * rows > functions) break;
    const banding = { bands, rows };
    let area = 0;
    for (let s = 0.005; s < threshold; s += 0.01) area += chanceOf(s, banding);
    if (area < bestArea) [best, bestArea] = [banding, area];
  }
  return best;
}

/**
 * The key of each band of a signature, 32 bits, into `out` (bands of them): row values mixed as in MurmurHash3, with the
 * band as seed. Two bands that differ share a key with a chance of 2^−32, which costs a comparison and nothing else.
 */
export function bandKeys(signature: BigInt64Array, { bands, rows }: Banding, out: Int32Array): void {
  const words = new Int32Array(signature.buffer, signature.byteOffset, signature.length * 2);
  for (let band = 0; band < bands; band++) {
    let hash = Math.imul(band + 1, 0x9e3779b1);
    for (let k = 2 * band * rows; k < 2 * (band + 1) * rows; k++) {
      const word = Math.imul(words[k]!, 0xcc9e2d51);
      hash ^= Math.imul((word << 15) | (word >>> 17), 0x1b873593);
      hash = Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64;
    }
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    out[band] = hash ^ (hash >>> 16);
  }
}
