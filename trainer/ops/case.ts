import type { Shape, Tensor } from './define.ts';

/** An input of a case: normal numbers times `scale`, or what `values` says of place i. */
export interface Given {
  shape: Shape;
  scale?: number;
  /** Whole numbers: ids, positions. */
  whole?: (i: number) => number;
  /** Numbers that no gradient flows to: a table. */
  fixed?: (i: number) => number;
}

/** A row of an op's table: read by forward against reference, by gradients against differences and reference. */
export interface OpCase {
  name: string;
  inputs: Record<string, Given>;
  /** Calls the op; the first of its outputs is what the gradient is taken of. */
  call: (inputs: Record<string, Tensor>) => Record<string, Tensor>;
  /** Most ‖out − ref‖ / ‖ref‖ in float32, where 2e-6 is not it. */
  tolerance?: number;
}
