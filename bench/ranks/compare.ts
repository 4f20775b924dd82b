import type { Mesh } from '../../trainer/parallel/mesh.ts';
import type { ParallelOptions } from '../../trainer/parallel/options.ts';
import type { Course, Fixture } from './fixture.ts';

/** How far a course is from that of one rank. */
export interface Difference {
  /** Greatest relative difference of a loss. */
  loss: number;
  /** Relative difference of the first gradient's norm; later ones differ more, since the weights do. */
  norm: number;
  /** All losses and norms are equal to the last bit. */
  bits: boolean;
}

export const compareCourses = (one: Course, other: Course): Difference => ({
  loss: Math.max(...one.losses.map((loss, i) => Math.abs(other.losses[i]! / loss - 1))),
  norm: Math.abs(other.norms[0]! / one.norms[0]! - 1),
  bits:
    one.losses.every((loss, i) => loss === other.losses[i]) && one.norms.every((norm, i) => norm === other.norms[i]),
});

export type FixtureOptions = Partial<Omit<Fixture, 'parallel'>> & Partial<ParallelOptions>;

export interface Variant {
  name: string;
  options: FixtureOptions;
  /** No sum has another order than on one rank. */
  exact: boolean;
}

export const meshOf = (data: number, tensor: number, pipeline: number): Mesh => ({ data, tensor, pipeline });

/** All meshes of 2, 4 and 8 ranks: 19. */
export const MESHES: readonly Mesh[] = [2, 4, 8].flatMap((ranks) =>
  [1, 2, 4, 8].flatMap((data) =>
    [1, 2, 4, 8].flatMap((tensor) => {
      const pipeline = ranks / data / tensor;
      return Number.isInteger(pipeline) ? [meshOf(data, tensor, pipeline)] : [];
    }),
  ),
);

/** Every kind of sharing and each pair of kinds at least once, on up to 8 ranks. */
export const VARIANTS: readonly Variant[] = [
  { name: '8 data ranks', options: { mesh: meshOf(8, 1, 1) }, exact: true },
  { name: '2 data ranks, ZeRO-1', options: { mesh: meshOf(2, 1, 1), zero: 1 }, exact: true },
  {
    name: '4 data ranks, ZeRO-2, recomputed layers',
    options: { mesh: meshOf(4, 1, 1), zero: 2, recompute: 'full' },
    exact: true,
  },
  { name: '8 stages', options: { mesh: meshOf(1, 1, 8) }, exact: true },
  {
    name: '8 stages of 2 chunks, recomputed norms',
    options: { mesh: meshOf(1, 1, 8), chunks: 2, layers: 16, recompute: 'selective' },
    exact: true,
  },
  { name: '2 × 2 stages of 2 chunks, ZeRO-1', options: { mesh: meshOf(2, 1, 2), chunks: 2, zero: 1 }, exact: true },
  { name: '2 × 4 stages, ZeRO-2', options: { mesh: meshOf(2, 1, 4), zero: 2 }, exact: true },
  {
    name: '2 stages of 4 chunks, a head of its own, recomputed layers',
    options: { mesh: meshOf(1, 1, 2), chunks: 4, tied: false, recompute: 'full' },
    exact: true,
  },
  { name: '8 tensor ranks, 2 key/value heads', options: { mesh: meshOf(1, 8, 1), keyValueHeads: 2 }, exact: false },
  {
    name: '4 tensor ranks, rows shared, 2 key/value heads, recomputed layers',
    options: { mesh: meshOf(1, 4, 1), sequence: true, keyValueHeads: 2, recompute: 'full' },
    exact: false,
  },
  {
    name: '2 × 2 tensor ranks, rows shared, ZeRO-2',
    options: { mesh: meshOf(2, 2, 1), sequence: true, zero: 2 },
    exact: false,
  },
  {
    name: '2 tensor × 2 stages of 2 chunks, rows shared',
    options: { mesh: meshOf(1, 2, 2), chunks: 2, sequence: true },
    exact: false,
  },
  {
    name: '2 × 2 × 2, everything at once',
    options: {
      mesh: meshOf(2, 2, 2),
      chunks: 2,
      zero: 2,
      sequence: true,
      recompute: 'full',
      keyValueHeads: 2,
    },
    exact: false,
  },
  {
    name: '2 × 2 × 2, a head of its own, ZeRO-1, recomputed norms',
    options: { mesh: meshOf(2, 2, 2), zero: 1, tied: false, recompute: 'selective' },
    exact: false,
  },
];
