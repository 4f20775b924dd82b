import { loadNative } from '../../../core/native/load.ts';
import { GarnerError } from '../../../core/errors.ts';

/** Bytes before the first gradient zone. */
export const CONTROL_BYTES = 16_384;
/** Most numbers that `sum` adds at once. */
export const MOST_NUMBERS = 16;
export const MOST_RANKS = 64;

const page = { name: 'control', type: 'ptr' } as const;
const rank = { name: 'rank', type: 'i32' } as const;
const ranks = { name: 'ranks', type: 'i32' } as const;
const bytes = { name: 'bytes', type: 'i64' } as const;
const fd = { name: 'fd', type: 'i32' } as const;
const count = { name: 'count', type: 'i32' } as const;

/** The C side of a shared mapping. Throws a GarnerError where it cannot be compiled: processes cannot wait for each other without it. */
export function sharedLibrary() {
  const library = loadNative({
    name: 'ranks',
    sources: ['trainer/collectives/shared-memory/shared.c'],
    flags: ['-O3', '-Wno-unused-parameter'],
    functions: {
      shared_create: { returns: 'i32', arguments: [bytes] },
      shared_map: { returns: 'ptr', arguments: [fd, bytes] },
      shared_close: { returns: 'i32', arguments: [fd] },
      shared_follow: { returns: 'i32', arguments: [{ name: 'parent', type: 'i32' }] },
      shared_expect: { returns: 'void', arguments: [page, rank, { name: 'pid', type: 'i32' }] },
      shared_barrier: {
        returns: 'i32',
        arguments: [page, rank, ranks, { name: 'polls', type: 'i32' }, { name: 'seconds', type: 'f64' }],
      },
      shared_put: {
        returns: 'void',
        arguments: [page, rank, { name: 'values', type: 'f64*', length: (s) => s['count']! }, count],
      },
      shared_sum_numbers: {
        returns: 'void',
        arguments: [page, { name: 'sums', type: 'f64*', length: (s) => s['count']! }, ranks, count],
      },
      shared_sum_zones: {
        returns: 'void',
        arguments: [
          { name: 'zones', type: 'ptr' },
          { name: 'stride', type: 'i64' },
          ranks,
          { name: 'from', type: 'i64' },
          { name: 'to', type: 'i64' },
        ],
      },
    },
  });
  if (library) return library.call;
  throw new GarnerError({
    what: 'ranks need a C compiler, and this machine has none',
    hint: 'install gcc or clang, or train with ranks: 1',
    fault: 2,
  });
}
