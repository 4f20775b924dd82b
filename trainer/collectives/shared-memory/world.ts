import { closeSync } from 'node:fs';
import { availableParallelism } from 'node:os';

import { GarnerError } from '../../../core/errors.ts';
import type { World, WorldOptions } from '../group.ts';
import { alignedMemory, freeBytes, wantOfMemory } from '../memory.ts';
import { openRecorder } from '../recorder/record.ts';
import { openGroup, type OpenWorld } from './group.ts';
import { WHY, worldLibrary } from './library.ts';
import { openWorldMemory, type SharedWorld } from './memory.ts';

const PAGE = 4096;
/** Polls before a waiter sleeps, where each rank has a core; otherwise polling takes the core from those who are waited for. */
const POLLS = 300;

/** Buffers that lie in a memory, also one that was left: their pages are not to be used for anything else. */
const kept: ArrayBufferLike[] = [];

/**
 * Enters the memory of the ranks of this host as `rank`. Buffers that lie in what `reserve` gives are reached by the others
 * without a copy; others are staged. A wait ends with RankLost within a second after a rank has died, wherever it was
 * started. Throws a GarnerError when the memory is gone or cannot be mapped.
 */
export function enterWorld(
  place: SharedWorld,
  rank: number,
  options: Pick<WorldOptions, 'patience' | 'recorder'>,
): World {
  const c = worldLibrary();
  const { ranks, layout, creator } = place;
  const fd = openWorldMemory(place);
  const base = c.world_map(fd, layout.bytes) as bigint | null;
  if (!base) {
    closeSync(fd);
    throw new GarnerError({
      what: `the memory that the ranks share cannot be mapped: ${Math.ceil(layout.bytes / 2 ** 30)} GiB of addresses, of which little is used`,
      hint: 'is there a limit on addresses? "ulimit -v unlimited" lifts it',
    });
  }
  if (process.ppid === creator && Number(c.world_follow(creator)) !== 0)
    throw new GarnerError({ what: 'the process that started the ranks has ended' });
  const polls = ranks <= availableParallelism() ? POLLS : 0;
  const numbers = [
    layout.blocks,
    layout.block,
    layout.bounces,
    layout.mailboxes,
    layout.mailbox,
    layout.windows,
    layout.window,
    layout.bytes,
    ranks,
    layout.floats,
    layout.depth,
    // Block 0 is the world's own.
    Math.floor((layout.bounces - layout.blocks) / layout.block),
  ];
  const address = c.world_open(
    base,
    fd,
    BigInt64Array.from(numbers, BigInt),
    rank,
    polls,
    options.patience,
  ) as unknown as bigint;
  const recorder = options.recorder === undefined ? null : openRecorder(options.recorder, rank);
  const waited = () => Number(c.world_waited(address));
  let noted = 0;
  let reserved: ReturnType<World['reserve']> | null = null;
  let open = true;
  const world: OpenWorld = {
    c,
    address,
    rank,
    patience: options.patience,
    floats: layout.floats,
    isOpen: () => open,
    recorder,
  };
  const group = openGroup(
    world,
    0,
    Array.from({ length: ranks }, (_, r) => r),
  );
  return {
    ...group,
    home: 'shared',
    reserve(bytes) {
      if (reserved) throw new Error('memory is reserved once a process');
      const need = Math.max(PAGE, Math.ceil(bytes / PAGE) * PAGE);
      if (need > layout.window) throw wantOfMemory(rank, need, layout.window);
      reserved = alignedMemory(need, rank, PAGE);
      const { buffer, byteOffset } = reserved;
      if (Number(c.world_reserve(address, new Uint8Array(buffer, byteOffset, PAGE), need)) !== 0)
        throw wantOfMemory(rank, need, freeBytes());
      kept.push(buffer);
      return reserved;
    },
    waited,
    note(step, seconds) {
      const before = noted;
      noted = waited();
      recorder?.note(step, seconds, noted - before);
    },
    abort: () => void (open && c.world_abort(base, rank, WHY.gaveUp)),
    close() {
      if (!open) return;
      open = false;
      recorder?.close();
      c.world_close(address);
    },
  };
}
