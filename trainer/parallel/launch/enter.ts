import { AGAIN, GarnerError } from '../../../core/errors.ts';
import type { World, WorldOptions } from '../../collectives/group.ts';
import { alignedMemory } from '../../collectives/memory.ts';
import { enterMpi } from '../../collectives/mpi/world.ts';
import type { SharedWorld } from '../../collectives/shared-memory/memory.ts';
import { enterWorld } from '../../collectives/shared-memory/world.ts';
import type { HomeName } from './home.ts';

/** How a rank gets to the others: plain data, the same for all. */
export interface Entry {
  home: HomeName;
  /** Of shared memory. */
  memory: SharedWorld | null;
  mailbox: WorldOptions['mailbox'];
  recorder: string;
}

/** MPI is entered once a process, however many trainings it sees. */
let mpi: { world: World; mailbox: WorldOptions['mailbox'] } | null = null;

/** Enters the world of a training as this rank. */
export function enterHome(entry: Entry, rank: number, settings: { patience: number; check: boolean }): World {
  const { home, memory, mailbox, recorder } = entry;
  if (home === 'shared') return enterWorld(memory!, rank, { patience: settings.patience, recorder });
  if (mpi === null) {
    const held = { ...mailbox };
    mpi = { world: enterMpi({ ...settings, mailbox: held, recorder }), mailbox: held };
  }
  // The world goes by this object: a later training may have longer messages.
  Object.assign(mpi.mailbox, mailbox);
  const { world } = mpi;
  let reserved = false;
  return {
    ...world,
    reserve(bytes) {
      if (reserved) throw new Error('memory is reserved once a training');
      reserved = true;
      return alignedMemory(bytes, rank);
    },
    close() {},
  };
}

/** At the end of a process's last training: MPI is left in good order where all ranks do so; otherwise it ends them all. */
export function leaveHome(error?: unknown): void {
  const together = error === undefined || (error instanceof GarnerError && error.fault === AGAIN);
  if (together) mpi?.world.close();
  if (together) mpi = null;
}
