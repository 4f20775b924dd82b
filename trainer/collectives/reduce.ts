import { loadNative } from '../../core/native/load.ts';
import type { Floats } from './group.ts';

/** Lists that can be added at once. */
const MOST_LISTS = 4096;
/** Numbers that the twin adds before it goes on: they stay in the cache. */
const PIECE = 1024;

/** The C side, or null where there is no compiler. */
export const reduceLibrary = () =>
  loadNative({
    name: 'reduce',
    sources: ['trainer/collectives/reduce.c'],
    headers: ['trainer/collectives/reduce.h'],
    flags: ['-O3'],
    functions: {
      reduce_strided: {
        returns: 'void',
        arguments: [
          { name: 'scratch', type: 'ptr' },
          { name: 'stride', type: 'i64' },
          { name: 'n', type: 'i32' },
          { name: 'me', type: 'i32' },
          { name: 'own', type: 'ptr' },
          { name: 'count', type: 'i64' },
          { name: 'type', type: 'i32' },
          { name: 'max', type: 'i32' },
        ],
      },
    },
  });

/**
 * Adds n lists element by element (or takes the greatest, where NaN wins), by the pairwise tree of `treeOrder`. List r lies at
 * scratch[r · stride …], but list `me` is `own` [count], which gets the result.
 */
export function reduceLists(scratch: Floats, stride: number, n: number, me: number, own: Floats, max: boolean): void {
  const count = own.length;
  if (count === 0) return;
  if (
    n > MOST_LISTS ||
    scratch.length < (n - 1) * stride + (me === n - 1 ? 0 : count) ||
    scratch.BYTES_PER_ELEMENT !== own.BYTES_PER_ELEMENT
  )
    throw new RangeError(`${n} lists of ${count} do not lie in ${scratch.length}`);
  const c = reduceLibrary();
  if (c)
    c.call['reduce_strided']!(scratch, stride, n, me, own, count, own instanceof Float64Array ? 1 : 0, max ? 1 : 0);
  else reducePlain(scratch, stride, n, me, own, max);
}

/** The same in TypeScript, bit by bit. */
export function reducePlain(scratch: Floats, stride: number, n: number, me: number, own: Floats, max: boolean): void {
  const list = (r: number) => (r === me ? own : scratch.subarray(r * stride, r * stride + own.length));
  const pieces = Array.from({ length: Math.ceil(Math.log2(n)) + 2 }, () =>
    own instanceof Float64Array ? new Float64Array(PIECE) : new Float32Array(PIECE),
  );
  const tree = (first: number, many: number, at: number, length: number, level: number): Floats => {
    const out = pieces[level]!;
    if (many === 1) {
      out.set(list(first).subarray(at, at + length));
      return out;
    }
    const left = 2 ** Math.ceil(Math.log2(many) - 1);
    tree(first, left, at, length, level);
    const right = tree(first + left, many - left, at, length, level + 1);
    if (max) for (let k = 0; k < length; k++) out[k] = out[k]! > right[k]! || out[k] !== out[k] ? out[k]! : right[k]!;
    else for (let k = 0; k < length; k++) out[k] = out[k]! + right[k]!;
    return out;
  };
  for (let at = 0; at < own.length; at += PIECE) {
    const length = Math.min(PIECE, own.length - at);
    own.set(tree(0, n, at, length, 0).subarray(0, length), at);
  }
}
