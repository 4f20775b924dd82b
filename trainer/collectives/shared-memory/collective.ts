import { availableParallelism } from 'node:os';
import { GarnerError } from '../../../core/errors.ts';
import { viewMemory } from '../../../core/native/memory.ts';
import type { Collective } from '../collective.ts';
import { CONTROL_BYTES, MOST_NUMBERS, MOST_RANKS, sharedLibrary } from './native.ts';

/** A rank waits so long for the others before it takes them for stuck [s]; a sample or a checkpoint on rank 0 is far shorter. */
const PATIENCE = 1800;

/** What a rank must know to enter a mapping. */
export interface SharedPlace {
  /** Descriptor of the memory in this process. */
  fd: number;
  ranks: number;
  /** Floats of a rank's gradient zone. */
  gradients: number;
  /** Process of rank 0. */
  parent: number;
}

/** Another rank has died or given up; who started the ranks knows why. */
export class RankLost extends Error {
  readonly rank: number;
  constructor(rank: number) {
    super(`rank ${rank} ended`);
    this.rank = rank;
  }
}

/** Floats from one zone to the next: whole pages of 4 KB. */
const strideOf = (gradients: number): number => Math.ceil(gradients / 1024) * 1024;

const bytesOf = (p: Pick<SharedPlace, 'ranks' | 'gradients'>): number =>
  CONTROL_BYTES + 4 * p.ranks * strideOf(p.gradients);

/**
 * Makes memory for `ranks` gradient zones: without a name, so that nothing stays behind after a kill. The descriptor is
 * handed to the other ranks when they are started. Throws a GarnerError when the machine has not so much memory.
 */
export function createShared(ranks: number, gradients: number): SharedPlace {
  if (ranks > MOST_RANKS)
    throw new GarnerError({ what: `${ranks} ranks: at most ${MOST_RANKS} on one host`, fault: 2 });
  const fd = Number(sharedLibrary()['shared_create']!(bytesOf({ ranks, gradients })));
  if (fd < 0)
    throw new GarnerError({
      what: `no shared memory of ${Math.ceil(bytesOf({ ranks, gradients }) / 1e6)} MB for ${ranks} ranks (error ${-fd})`,
      hint: 'train with fewer ranks or a smaller model',
    });
  return { fd, ranks, gradients, parent: process.pid };
}

/**
 * Enters the mapping as `rank`; rank 0 names the processes of the others, which it has started (`pids`, from rank 1 on).
 * Sums are added in the order of ranks, element by element: every rank gets the same bits. Each call throws RankLost when
 * another rank has ended, and a GarnerError when the others stay away for half an hour.
 */
export function enterShared(place: SharedPlace, rank: number, pids: readonly number[] = []): Collective {
  const c = sharedLibrary();
  const { fd, ranks, gradients } = place;
  const stride = strideOf(gradients);
  const address = c['shared_map']!(fd, bytesOf(place)) as unknown as bigint | null;
  if (address === null || address === 0n)
    throw new GarnerError({ what: 'the shared memory of the ranks cannot be mapped' });
  c['shared_close']!(fd);
  if (rank > 0 && Number(c['shared_follow']!(place.parent)) !== 0) throw new RankLost(0);
  for (const [i, pid] of pids.entries()) c['shared_expect']!(address, i + 1, pid);
  const zones = address + BigInt(CONTROL_BYTES);
  // With a core for each rank it is cheaper to look a few times than to sleep and be woken.
  const polls = ranks <= availableParallelism() ? 300 : 0;
  const barrier = () => {
    const answer = Number(c['shared_barrier']!(address, rank, ranks, polls, PATIENCE));
    if (answer > 0) throw new RankLost(answer - 1);
    if (answer < 0)
      throw new GarnerError({
        what: `rank ${rank} waited ${PATIENCE / 60} minutes for the others`,
        hint: 'run it again',
      });
  };
  return {
    rank,
    ranks,
    gradients: new Float32Array(viewMemory(zones + BigInt(4 * rank * stride), 4 * gradients)),
    barrier,
    sum(values) {
      if (values.length > MOST_NUMBERS) throw new RangeError(`${values.length} numbers: at most ${MOST_NUMBERS}`);
      c['shared_put']!(address, rank, Float64Array.from(values), values.length);
      barrier();
      const sums = new Float64Array(values.length);
      c['shared_sum_numbers']!(address, sums, ranks, values.length);
      barrier();
      return [...sums];
    },
    sumGradients() {
      const slice = Math.ceil(stride / ranks / 16) * 16;
      const from = Math.min(stride, rank * slice);
      barrier();
      c['shared_sum_zones']!(zones, stride, ranks, from, Math.min(stride, from + slice));
      barrier();
    },
  };
}
