import { expect, test } from 'vitest';
import { drawCurve } from '../../cli/curve.ts';
import { displayWidth } from '../../cli/table.ts';

test('a falling loss, as a person sees it', () => {
  const loss = Array.from({ length: 60 }, (_, i) => 2 + 6 * Math.exp(-i / 12));
  expect(`\n${drawCurve(loss, 48, 9)}`).toBe(GOLDEN);
});

test.each([
  [200, 40, 10],
  [3, 80, 20],
  [1, 20, 6],
  [5000, 100, 15],
])('%d values fit %d × %d characters', (n, width, height) => {
  const lines = drawCurve(
    Array.from({ length: n }, (_, i) => Math.sin(i)),
    width,
    height,
  ).split('\n');
  expect(lines.length).toBeLessThanOrEqual(height);
  for (const line of lines) expect(displayWidth(line)).toBeLessThanOrEqual(width);
});

test('a flat curve lies in the middle, points keep their x, no values draw nothing', () => {
  const flat = drawCurve([5, 5, 5], 30, 7).split('\n');
  expect(flat.findIndex((l) => /[\u2801-\u28ff]/.test(l))).toBe(2);
  expect(
    drawCurve(
      [
        [100, 2],
        [300, 1],
      ],
      30,
      7,
    ),
  ).toMatch(/100 +300$/);
  expect(drawCurve([], 30, 7)).toBe('');
  expect(drawCurve([NaN, Infinity], 30, 7)).toBe('');
});

const GOLDEN = `
8.0 ┤⠱⡀
    │ ⠈⢆
    │   ⠑⢄
5.0 ┤     ⠑⠢⡀
    │       ⠈⠑⠤⣀⡀
    │           ⠈⠒⠢⠤⢄⣀
2.0 ┤                 ⠉⠉⠉⠒⠒⠒⠒⠢⠤⠤⠤⠤⠤⠤⢄⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀
    └───────────────────────────────────────────
     1                                        60`;
