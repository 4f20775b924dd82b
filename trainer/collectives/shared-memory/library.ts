import { GarnerError } from '../../../core/errors.ts';
import { loadNative, type Argument, type Call, type NativeFunction } from '../../../core/native/load.ts';

/** The same as in world.h. */
export const MOST_RANKS = 256;
export const CONTROL_BYTES = 64 * (MOST_RANKS + 1);
export const DEPTH = 64;
export const SMALL = 8192;
export const BOUNCE = 2 ** 18;
export const ANSWERS = { fine: 0, lost: 1, mismatch: 2, tooMany: 3, noMemory: 4 } as const;
export const WHY = { ended: 1, gaveUp: 2, late: 3, left: 4 } as const;

type Names =
  | 'world_create'
  | 'world_map'
  | 'world_unmap'
  | 'world_allocate'
  | 'world_follow'
  | 'world_seat'
  | 'world_open'
  | 'world_waited'
  | 'world_abort'
  | 'world_close'
  | 'world_reserve'
  | 'group_open'
  | 'group_number'
  | 'collective_begin'
  | 'collective_end'
  | 'mail_send'
  | 'mail_receive';

const ptr = (name: string): Argument => ({ name, type: 'ptr' });
const i32 = (name: string): Argument => ({ name, type: 'i32' });
const i64 = (name: string): Argument => ({ name, type: 'i64' });
const report: Argument = { name: 'report', type: 'i64*', length: () => 10 };
const edges: Argument = { name: 'edges', type: 'i64*', optional: true };
const layout: Argument = { name: 'layout', type: 'i64*', length: () => 12 };
const members: Argument = { name: 'members', type: 'i32*', length: (s) => s['n']! };
const mail: NativeFunction = {
  returns: 'i32',
  arguments: [ptr('group'), i32('member'), ptr('x'), i64('count'), report],
};

const FUNCTIONS: Record<Names, NativeFunction> = {
  world_create: { returns: 'i32', arguments: [i64('bytes')] },
  world_map: { returns: 'ptr', arguments: [i32('fd'), i64('bytes')] },
  world_unmap: { returns: 'i32', arguments: [ptr('base'), i64('bytes')] },
  world_allocate: { returns: 'i32', arguments: [i32('fd'), i64('offset'), i64('bytes')] },
  world_follow: { returns: 'i32', arguments: [i32('parent')] },
  world_seat: { returns: 'void', arguments: [ptr('base'), i32('rank'), i32('pid')] },
  world_open: {
    returns: 'ptr',
    arguments: [ptr('base'), i32('fd'), layout, i32('rank'), i32('polls'), { name: 'patience', type: 'f64' }],
  },
  world_waited: { returns: 'f64', arguments: [ptr('world')] },
  world_abort: { returns: 'void', arguments: [ptr('base'), i32('rank'), i32('why')] },
  world_close: { returns: 'void', arguments: [ptr('world')] },
  world_reserve: { returns: 'i32', arguments: [ptr('world'), ptr('at'), i64('bytes')] },
  group_open: { returns: 'ptr', arguments: [ptr('world'), i32('id'), members, i32('n'), i32('me')] },
  group_number: { returns: 'i32', arguments: [ptr('world'), i32('count')] },
  collective_begin: {
    returns: 'i32',
    arguments: [ptr('group'), i32('call'), i32('type'), ptr('x'), i64('count'), i64('shape'), report],
  },
  collective_end: { returns: 'i32', arguments: [ptr('group'), i64('sequence'), ptr('x'), edges, report] },
  mail_send: mail,
  mail_receive: mail,
};

const FOLDER = 'trainer/collectives/shared-memory';

/**
 * The C side of the memory that ranks share. Throws a GarnerError where there is none: processes cannot wait for each other
 * without it.
 */
export function worldLibrary(): Record<Names, Call> {
  const library =
    process.platform === 'linux'
      ? loadNative({
          name: 'world',
          sources: [`${FOLDER}/world.c`, `${FOLDER}/collectives.c`, 'trainer/collectives/reduce.c'],
          headers: [`${FOLDER}/world.h`, 'trainer/collectives/reduce.h'],
          flags: ['-O3'],
          functions: FUNCTIONS,
        })
      : null;
  if (library) return library.call as Record<Names, Call>;
  throw new GarnerError({
    what: `ranks on one host need Linux and a C compiler, and this machine has ${process.platform === 'linux' ? 'no compiler' : 'no Linux'}`,
    hint: 'train with one rank, or start the ranks with mpirun',
    fault: 2,
  });
}
