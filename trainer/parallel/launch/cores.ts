import { availableParallelism, cpus } from 'node:os';
import { GarnerError } from '../../../core/errors.ts';
import { launchOf, type Launch } from './environment.ts';
import { launchSettings } from './settings.ts';

/** Cores of this host, and those that this process may use: a launcher may have bound it to a few. */
export interface Cores {
  host: number;
  own: number;
}

const coresHere = (): Cores => ({ host: cpus().length, own: availableParallelism() });

/**
 * Threads of each rank on this host: together the ranks never ask for more cores than there are. `ranks` is their count in
 * all, of which a launcher may have put only some here. Throws a GarnerError with both sides.
 */
export function threadsOfRank(
  where: string,
  ranks: number,
  threads: number | undefined,
  launch: Pick<Launch, 'launcher' | 'localRanks' | 'ranks'> = launchOf(process.env, ranks),
  cores: Cores = coresHere(),
  oversubscribe: boolean = launchSettings().oversubscribe,
): number {
  // garner's own ranks share what this process may use; those of another launcher have each been given their part.
  const started = launch.ranks > 1;
  const here = started ? (launch.localRanks ?? ranks) : ranks;
  const shared = started ? cores.host : cores.own;
  const most = started ? cores.own : shared;
  if (oversubscribe) return threads ?? Math.max(1, Math.floor(shared / here));
  const refuse = (what: string, hint: string) => new GarnerError({ what, where, hint, fault: 2 });
  if (here * (threads ?? 1) > shared)
    throw refuse(
      `${here} ranks${threads ? ` × ${threads} threads = ${here * threads}` : ''} on ${shared} cores`,
      'ranks × threads must not be above the cores of the host',
    );
  if ((threads ?? 1) > most)
    throw refuse(
      `${threads} threads, but ${launch.launcher} has bound this rank to ${most} core${most === 1 ? '' : 's'}`,
      'bind ranks to more cores (mpirun --bind-to none, srun --cpus-per-task N), or ask for fewer threads',
    );
  return threads ?? Math.max(1, Math.min(most, Math.floor(shared / here)));
}
