import { expect, test } from 'vitest';
import { type Floats, treeOrder } from '../../../trainer/collectives/group.ts';
import { reduceLibrary, reduceLists, reducePlain } from '../../../trainer/collectives/reduce.ts';

const SPECIALS = [Number.NaN, Infinity, -Infinity, 0, -0, 3e38, -3e38, 1e-45];

test.each([1, 2, 3, 4, 5, 7, 8, 13])('%d lists: C, its twin and the tree give the same bits', (n) => {
  expect(reduceLibrary()).not.toBeNull();
  for (const make of [(x: number[]): Floats => Float32Array.from(x), (x: number[]): Floats => Float64Array.from(x)]) {
    for (const [max, count] of [
      [false, 1],
      [false, 1024],
      [false, 5001],
      [true, 3000],
    ] as const) {
      const me = n >> 1;
      const stride = count + 3;
      const scratch = make(
        Array.from({ length: n * stride }, (_, i) => (i % 11 ? Math.sin(i) * 10 ** (i % 9) : SPECIALS[(i / 11) % 8]!)),
      );
      const own: Floats = scratch.slice(me * stride, me * stride + count);
      const twin: Floats = own.slice();
      // What stands in the place of its own list is not read.
      const list = (r: number, i: number) => scratch[r * stride + i]!;
      const expected = make(
        Array.from({ length: count }, (_, i) =>
          treeOrder(
            n,
            (r) => list(r, i),
            (a, b) => {
              if (max) return a > b || a !== a ? a : b;
              return own instanceof Float32Array ? Math.fround(a + b) : a + b;
            },
          ),
        ),
      );
      reduceLists(scratch, stride, n, me, own, max);
      reducePlain(scratch, stride, n, me, twin, max);
      expect(own).toEqual(expected);
      expect(twin).toEqual(expected);
    }
  }
});

test('lists that do not lie in what is given are refused', () => {
  expect(() => reduceLists(new Float32Array(10), 5, 3, 0, new Float32Array(5), false)).toThrow(RangeError);
  expect(() => reduceLists(new Float64Array(10), 5, 2, 0, new Float32Array(5), false)).toThrow(RangeError);
});
