import { GarnerError } from '../../../core/errors.ts';
import { expandHosts, expandTasks } from './hosts.ts';

/** Who started this process as one of many. `garner`: nobody did, and garner starts the others itself. */
export type Launcher = 'garner' | 'torchrun' | 'slurm' | 'openmpi' | 'mpich' | 'pmix';

/** Where this process stands among the ranks that a launcher has started. */
export interface Launch {
  launcher: Launcher;
  rank: number;
  ranks: number;
  /** Among the ranks of this host; null where the launcher does not say. */
  localRank: number | null;
  localRanks: number | null;
  /** Number of this host; null where the launcher does not say. */
  node: number | null;
  /** Where rank 0 listens; null where only a file in the lake can say. */
  meeting: { host: string; port: number | null } | null;
  /** How often the launcher has started all of them again. */
  restarts: number;
  /** Equal on all ranks of one start, and on no other start: names the file in which rank 0 says where it listens. */
  id: string;
  /** MPI_Init finds the other ranks. */
  mpi: boolean;
}

type Environment = Readonly<Record<string, string | undefined>>;

const wrong = (what: string, hint = 'unset the variable that is left from another launcher, or start all ranks anew') =>
  new GarnerError({ what, where: 'environment', hint, fault: 2 });

/** A whole number of a variable, null where it is not set. */
function number(env: Environment, name: string): number | null {
  const value = env[name];
  if (value === undefined || value === '') return null;
  if (/^\d{1,9}$/.test(value)) return Number(value);
  throw wrong(`${name} is "${value.slice(0, 40)}", which is no whole number`);
}

/** The same of a variable that must be there beside `because`. */
function needed(env: Environment, name: string, because: string): number {
  const value = number(env, name);
  if (value === null) throw wrong(`${because} is set, but ${name} is not`, 'start all ranks with the same launcher');
  return value;
}

/**
 * Reads the variables of torchrun, Open MPI, Slurm's srun, MPICH's Hydra, Intel MPI and PMIx (reference: their manuals). The
 * innermost launcher counts: torchrun or mpirun inside a Slurm step, srun before the PMI that it offers. `ranks` is what a
 * person asked for, for PMIx, which does not tell. Throws a GarnerError for variables that contradict each other.
 */
export function launchOf(env: Environment, ranks?: number): Launch {
  for (const read of [torchrun, openMpi, slurm, mpich, pmix]) {
    const launch = read(env, ranks);
    if (launch === null) continue;
    check(launch, env);
    return launch;
  }
  return {
    launcher: 'garner',
    rank: 0,
    ranks: 1,
    localRank: 0,
    localRanks: 1,
    node: 0,
    meeting: null,
    restarts: 0,
    id: '',
    mpi: false,
  };
}

function torchrun(env: Environment): Launch | null {
  // RANK alone is too common a name to mean anything.
  if (env['RANK'] === undefined || (env['WORLD_SIZE'] ?? env['MASTER_ADDR']) === undefined) return null;
  const host = env['MASTER_ADDR'];
  const port = number(env, 'MASTER_PORT') ?? 29_500;
  const restarts = number(env, 'TORCHELASTIC_RESTART_COUNT') ?? 0;
  // torchrun's own agent listens at the port itself.
  const taken = env['TORCHELASTIC_USE_AGENT_STORE']?.toLowerCase() === 'true' ? 1 : 0;
  return {
    launcher: 'torchrun',
    rank: needed(env, 'RANK', 'WORLD_SIZE'),
    ranks: needed(env, 'WORLD_SIZE', 'RANK'),
    localRank: number(env, 'LOCAL_RANK'),
    localRanks: number(env, 'LOCAL_WORLD_SIZE'),
    node: number(env, 'GROUP_RANK'),
    meeting: host ? { host, port: port + taken } : null,
    restarts,
    id: identity('torchrun', env['TORCHELASTIC_RUN_ID'] ?? 'none', host, port, restarts),
    // mpirun may start torchrun, one on each host, or a script that passes its ranks on; only these are ranks of MPI.
    mpi: number(env, 'OMPI_COMM_WORLD_SIZE') === number(env, 'WORLD_SIZE'),
  };
}

function openMpi(env: Environment): Launch | null {
  if (env['OMPI_COMM_WORLD_RANK'] === undefined && env['OMPI_COMM_WORLD_SIZE'] === undefined) return null;
  return {
    launcher: 'openmpi',
    rank: needed(env, 'OMPI_COMM_WORLD_RANK', 'OMPI_COMM_WORLD_SIZE'),
    ranks: needed(env, 'OMPI_COMM_WORLD_SIZE', 'OMPI_COMM_WORLD_RANK'),
    localRank: number(env, 'OMPI_COMM_WORLD_LOCAL_RANK'),
    localRanks: number(env, 'OMPI_COMM_WORLD_LOCAL_SIZE'),
    node: null,
    meeting: null,
    restarts: number(env, 'SLURM_RESTART_COUNT') ?? 0,
    id: identity('openmpi', env['PMIX_NAMESPACE'] ?? env['OMPI_MCA_ess_base_jobid'], env['OMPI_MCA_orte_hnp_uri']),
    mpi: true,
  };
}

function slurm(env: Environment): Launch | null {
  // A batch script has a rank and tasks of its own before srun starts any.
  if (env['SLURM_PROCID'] === undefined || env['SLURM_STEP_ID'] === undefined) return null;
  const tasks = env['SLURM_STEP_NUM_TASKS'] === undefined ? 'SLURM_NTASKS' : 'SLURM_STEP_NUM_TASKS';
  const node = number(env, 'SLURM_NODEID');
  const perNode = env['SLURM_STEP_TASKS_PER_NODE'] ?? env['SLURM_TASKS_PER_NODE'] ?? env['SLURM_NTASKS_PER_NODE'];
  const counts = perNode === undefined ? [] : expandTasks(perNode);
  const ranks = needed(env, tasks, 'SLURM_PROCID');
  const sum = counts.reduce((a, b) => a + b, 0);
  if (counts.length > 1 && sum !== ranks) throw wrong(`${tasks} is ${ranks}, but the nodes have ${perNode} = ${sum}`);
  const nodes = env['SLURM_STEP_NODELIST'] ?? env['SLURM_JOB_NODELIST'] ?? env['SLURM_NODELIST'];
  const restarts = number(env, 'SLURM_RESTART_COUNT') ?? 0;
  return {
    launcher: 'slurm',
    rank: number(env, 'SLURM_PROCID')!,
    ranks,
    localRank: number(env, 'SLURM_LOCALID'),
    localRanks: node === null ? null : (counts[node] ?? (counts.length === 1 ? counts[0]! : null)),
    node,
    meeting: nodes ? { host: expandHosts(nodes)[0]!, port: null } : null,
    restarts,
    id: identity('slurm', env['SLURM_JOB_ID'] ?? env['SLURM_JOBID'], env['SLURM_STEP_ID'], restarts),
    mpi: env['PMIX_RANK'] !== undefined,
  };
}

function mpich(env: Environment): Launch | null {
  if (env['PMI_RANK'] === undefined || env['PMI_SIZE'] === undefined) return null;
  return {
    launcher: 'mpich',
    rank: number(env, 'PMI_RANK')!,
    ranks: number(env, 'PMI_SIZE')!,
    localRank: number(env, 'MPI_LOCALRANKID'),
    localRanks: number(env, 'MPI_LOCALNRANKS'),
    node: null,
    meeting: null,
    restarts: 0,
    id: identity('mpich', env['PMI_PORT'] ?? env['SLURM_JOB_ID']),
    mpi: true,
  };
}

function pmix(env: Environment, ranks?: number): Launch | null {
  const rank = number(env, 'PMIX_RANK');
  if (rank === null) return null;
  if (ranks === undefined)
    throw wrong('PMIX_RANK is set, but nothing says how many ranks there are', 'name them with --ranks N');
  return {
    launcher: 'pmix',
    rank,
    ranks,
    localRank: null,
    localRanks: null,
    node: null,
    meeting: null,
    restarts: 0,
    id: identity('pmix', env['PMIX_NAMESPACE']),
    mpi: true,
  };
}

/** Safe in the name of a file. */
const identity = (...parts: (string | number | undefined)[]): string =>
  parts
    .map((part) => String(part ?? '').replace(/[^\w.-]+/g, '_'))
    .join('-')
    .slice(0, 150);

function check(launch: Launch, env: Environment): void {
  const { rank, ranks, localRank, localRanks, launcher } = launch;
  if (ranks < 1) throw wrong(`${launcher} started ${ranks} ranks`);
  if (rank >= ranks) throw wrong(`this is rank ${rank}, but there are only ${ranks} (they count from 0)`);
  if (localRank !== null && localRanks !== null && localRank >= localRanks)
    throw wrong(`this is local rank ${localRank}, but this host has only ${localRanks} (they count from 0)`);
  if (localRanks !== null && localRanks > ranks) throw wrong(`this host has ${localRanks} ranks of ${ranks} in all`);
  // A launcher inside another's step inherits the outer one's variables; those of one start must agree.
  const others: [name: string, value: number | null, holds: boolean][] = [
    ['OMPI_COMM_WORLD_RANK', number(env, 'OMPI_COMM_WORLD_RANK'), launcher === 'torchrun' && launch.mpi],
    ['PMIX_RANK', number(env, 'PMIX_RANK'), launcher === 'openmpi' || launcher === 'slurm'],
  ];
  for (const [name, value, holds] of others)
    if (holds && value !== null && value !== rank)
      throw wrong(`${launcher} says that this is rank ${rank}, but ${name} is ${value}`);
}
