import type { Numbers } from '../define.ts';

type Sizes = Record<'rows' | 'heads' | 'size', number>;

/** Pair (x_j, x_{j+Q/2}) of each head turned by position · θ_j. table: a row of cosines, then sines, a position. */
export const forward = (
  { y, x, table, positions }: Record<'y' | 'x' | 'table' | 'positions', Numbers>,
  sizes: Sizes,
): void => turn(y, x, table, positions, sizes, 1);

/** The same turn back, in place: dx lies over dy. */
export const backward = (
  { dx, dy, table, positions }: Record<'dx' | 'dy' | 'table' | 'positions', Numbers>,
  sizes: Sizes,
): void => turn(dx, dy, table, positions, sizes, -1);

function turn(y: Numbers, x: Numbers, table: Numbers, positions: Numbers, s: Sizes, sign: 1 | -1): void {
  const half = s.size / 2;
  for (let i = 0; i < s.rows; i++)
    for (let h = 0; h < s.heads; h++)
      for (let j = 0; j < half; j++) {
        const at = (i * s.heads + h) * s.size + j;
        const cosine = table[positions[i]! * s.size + j]!;
        const sine = sign * table[positions[i]! * s.size + half + j]!;
        const low = x[at]!;
        const high = x[at + half]!;
        y[at] = low * cosine - high * sine;
        y[at + half] = high * cosine + low * sine;
      }
}

/** cos and sin of position · base^(−2j/Q): [positions, Q], computed in float64. */
export function fillTable(table: Numbers, positions: number, size: number, base: number): void {
  const half = size / 2;
  for (let j = 0; j < half; j++) {
    const theta = base ** ((-2 * j) / size);
    for (let p = 0; p < positions; p++) {
      table[p * size + j] = Math.cos(p * theta);
      table[p * size + half + j] = Math.sin(p * theta);
    }
  }
}
