const ROUNDS = 10;

/**
 * A keyed permutation of 0 … count − 1: a balanced Feistel network on the next even power of two, with cycle walking
 * (Black & Rogaway 2002). Any position is computed alone, in a few dozen integer operations and without a table.
 * `count` is at most 2^52. Equal keys give equal orders, on every machine.
 */
export function permutation(count: number, seed: number, epoch: number): (position: number) => number {
  if (!Number.isInteger(count) || count < 1 || count > 2 ** 52)
    throw new RangeError(`permutation of ${count}: 1 … 2^52 expected`);
  const half = Math.ceil(Math.ceil(Math.log2(count)) / 2);
  const size = 2 ** half;
  const mask = size - 1;
  const keys = Int32Array.from({ length: ROUNDS }, (_, i) => roundKey(seed, epoch, i));
  return (position) => {
    if (!(position >= 0 && position < count)) throw new RangeError(`position ${position} of ${count}`);
    let x = position;
    do {
      let left = Math.floor(x / size);
      let right = x % size;
      for (let i = 0; i < ROUNDS; i++) {
        const next = (left ^ (mix(right ^ keys[i]!) & mask)) >>> 0;
        left = right;
        right = next;
      }
      x = left * size + right;
    } while (x >= count);
    return x;
  };
}

/** murmur3's 32-bit finaliser. */
export function mix(value: number): number {
  let h = value | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/** Every bit of the seed and the epoch (both below 2^53) reaches every round's key. */
function roundKey(seed: number, epoch: number, round: number): number {
  let key = mix(0x9e3779b9 + round);
  for (const word of [seed | 0, Math.floor(seed / 2 ** 32), epoch | 0, Math.floor(epoch / 2 ** 32)])
    key = mix(Math.imul(key, 0x9e3779b1) ^ word);
  return key;
}
