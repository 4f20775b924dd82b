import type { World } from '../../../trainer/collectives/group.ts';

/** What the ranks of a test do; each rank does the same, and looks at its number. */
export const PARTS: Record<string, (world: World) => unknown> = {
  /** Nothing but being there. */
  nothing: (world) => world.barrier(),
};
