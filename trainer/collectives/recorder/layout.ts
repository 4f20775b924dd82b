/**
 * The file of a flight recorder: a page for all, then for every rank a page about itself and its last steps and three about its
 * last collectives. Everything is a float64, in the machine's byte order; ranks of several hosts never write to one page.
 */
export const MAGIC = 0x6761_726e_6572;
export const PAGE = 4096;
export const SECTION = 4 * PAGE;
/** Last calls and steps that are kept. */
export const KEPT_CALLS = 64;
export const KEPT_STEPS = 16;

/** Places in the first page [float64]. */
export const FILE = { magic: 0, ranks: 1 } as const;
/** Places in a rank's first page; its steps are kept from `ring` on, three numbers each: number, seconds, seconds waited. */
export const RANK = { pid: 0, entered: 1, calls: 2, steps: 3, closed: 4, ring: 16 } as const;
/** Places in an entry; the last eight are 32 bits each of the group's members, by their ranks in the world. */
export const ENTRY = {
  sequence: 0,
  group: 1,
  call: 2,
  type: 3,
  count: 4,
  peer: 5,
  begun: 6,
  ended: 7,
  wall: 8,
  members: 9,
  size: 17,
} as const;

export const fileBytes = (ranks: number): number => PAGE + ranks * SECTION;
