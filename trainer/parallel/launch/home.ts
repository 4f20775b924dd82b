import { GarnerError } from '../../../core/errors.ts';
import { nameRanks, type Member } from './member.ts';

/** Through what ranks speak to each other. */
export type HomeName = 'shared' | 'mpi';

const TOGETHER = 'start them with "mpirun -n N garner train …", or "srun --mpi=pmix …"';

/** Ranks that garner starts itself share memory. Throws a GarnerError where another home is wanted. */
export function checkOwnHome(where: string, wanted: HomeName | undefined): void {
  if (wanted === 'mpi')
    throw new GarnerError({
      what: 'collectives: mpi, but garner would start these ranks itself, and they share memory',
      where,
      hint: TOGETHER,
      fault: 2,
    });
}

/**
 * One host: shared memory; several: MPI. `wanted` decides where it can be. Throws a GarnerError where the ranks cannot have
 * it as they were started.
 */
export function chooseHome(
  members: readonly Pick<Member, 'rank' | 'host' | 'room' | 'mpi'>[],
  wanted: HomeName | undefined,
): HomeName {
  const hosts = [...new Set(members.map((m) => m.host))];
  const rooms = new Set(members.map((m) => `${m.host}\0${m.room}`));
  const named = `${hosts.length} hosts (${hosts.slice(0, 8).join(', ')}${hosts.length > 8 ? ', …' : ''})`;
  const wrong = (what: string, hint: string) => new GarnerError({ what, where: 'collectives', hint, fault: 2 });
  if (wanted === 'shared' && hosts.length > 1)
    throw wrong(`ranks on ${named} share no memory`, 'leave parallel.collectives out, or start all ranks on one host');
  if (wanted === 'shared' && rooms.size > 1)
    throw wrong(
      `ranks in ${rooms.size} containers share no memory`,
      'start all ranks in one container, or under mpirun',
    );
  const home = wanted ?? (rooms.size === 1 ? 'shared' : 'mpi');
  if (home === 'shared') return home;
  const without = members.filter((m) => !m.mpi).map((m) => m.rank);
  if (without.length === 0) return home;
  const whose = without.length === members.length ? 'the ranks' : nameRanks(without);
  throw wrong(
    hosts.length > 1
      ? `ranks on ${named} speak through MPI, and ${whose} were not started by it`
      : `${whose} were not started by MPI`,
    TOGETHER,
  );
}
