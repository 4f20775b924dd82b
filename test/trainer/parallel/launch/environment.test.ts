import { expect, test } from 'vitest';
import { launchOf, type Launch } from '../../../../trainer/parallel/launch/environment.ts';
import { addressOf, expandHosts, expandTasks } from '../../../../trainer/parallel/launch/hosts.ts';

const srun = {
  SLURM_JOB_ID: '12',
  SLURM_STEP_ID: '0',
  SLURM_PROCID: '9',
  SLURM_LOCALID: '1',
  SLURM_NODEID: '1',
  SLURM_NTASKS: '16',
  SLURM_STEP_NUM_TASKS: '16',
  SLURM_STEP_TASKS_PER_NODE: '8(x2)',
  SLURM_TASKS_PER_NODE: '8(x4)',
  SLURM_JOB_NODELIST: 'node[01-04,07]',
  SLURM_STEP_NODELIST: 'node[03-04]',
};
const mpirun = {
  OMPI_COMM_WORLD_RANK: '1',
  OMPI_COMM_WORLD_SIZE: '4',
  OMPI_COMM_WORLD_LOCAL_RANK: '1',
  OMPI_COMM_WORLD_LOCAL_SIZE: '2',
  PMIX_RANK: '1',
  PMIX_NAMESPACE: '1961623553',
};
const torchrun = {
  RANK: '3',
  WORLD_SIZE: '4',
  LOCAL_RANK: '1',
  LOCAL_WORLD_SIZE: '2',
  GROUP_RANK: '1',
  MASTER_ADDR: '10.0.0.1',
  MASTER_PORT: '29511',
};

test.each<[why: string, env: Record<string, string>, is: Partial<Launch>]>([
  ['nothing is set', { HOME: '/root' }, { launcher: 'garner', rank: 0, ranks: 1, localRanks: 1 }],
  ['RANK alone means nothing', { RANK: '3' }, { launcher: 'garner', ranks: 1 }],
  [
    'torchrun',
    torchrun,
    {
      launcher: 'torchrun',
      rank: 3,
      ranks: 4,
      localRank: 1,
      localRanks: 2,
      node: 1,
      meeting: { host: '10.0.0.1', port: 29511 },
      mpi: false,
    },
  ],
  [
    'torchrun whose agent holds the port, started again',
    { ...torchrun, TORCHELASTIC_USE_AGENT_STORE: 'True', TORCHELASTIC_RESTART_COUNT: '2', TORCHELASTIC_RUN_ID: 'a/b' },
    { meeting: { host: '10.0.0.1', port: 29512 }, restarts: 2, id: 'torchrun-a_b-10.0.0.1-29511-2' },
  ],
  ['variables of torchrun by hand', { RANK: '0', WORLD_SIZE: '2', MASTER_ADDR: 'a' }, { rank: 0, localRank: null }],
  [
    'torchrun on each host of mpirun',
    { ...mpirun, ...torchrun, WORLD_SIZE: '8' },
    { launcher: 'torchrun', mpi: false },
  ],
  [
    'mpirun that passes its ranks on',
    { ...mpirun, RANK: '1', WORLD_SIZE: '4', MASTER_ADDR: 'a' },
    { launcher: 'torchrun', mpi: true },
  ],
  [
    'Open MPI',
    mpirun,
    { launcher: 'openmpi', rank: 1, ranks: 4, localRank: 1, localRanks: 2, mpi: true, meeting: null },
  ],
  ['Open MPI inside a step of Slurm', { ...srun, ...mpirun }, { launcher: 'openmpi', rank: 1, ranks: 4 }],
  [
    'srun: the step counts, not the job',
    srun,
    {
      launcher: 'slurm',
      rank: 9,
      ranks: 16,
      localRank: 1,
      localRanks: 8,
      node: 1,
      meeting: { host: 'node03', port: null },
      id: 'slurm-12-0-0',
      mpi: false,
    },
  ],
  ['srun --mpi=pmix', { ...srun, PMIX_RANK: '9' }, { launcher: 'slurm', mpi: true }],
  [
    'a requeued job',
    { ...srun, SLURM_RESTART_COUNT: '1', SLURM_STEP_TASKS_PER_NODE: '7,9' },
    { restarts: 1, localRanks: 9, id: 'slurm-12-0-1' },
  ],
  [
    'a batch script before srun',
    { SLURM_JOB_ID: '12', SLURM_PROCID: '0', SLURM_NTASKS: '4', SLURM_LOCALID: '0' },
    { launcher: 'garner', ranks: 1 },
  ],
  [
    'Hydra, Intel MPI',
    { PMI_RANK: '2', PMI_SIZE: '4', MPI_LOCALRANKID: '0', MPI_LOCALNRANKS: '2' },
    { launcher: 'mpich', rank: 2, ranks: 4, localRank: 0, localRanks: 2, mpi: true },
  ],
])('%s', (_why, env, is) => expect(launchOf(env)).toMatchObject(is));

test('PMIx tells no size: a person does', () => {
  expect(launchOf({ PMIX_RANK: '1' }, 3)).toMatchObject({ launcher: 'pmix', rank: 1, ranks: 3, mpi: true });
  expect(() => launchOf({ PMIX_RANK: '1' })).toThrow('nothing says how many ranks');
});

test.each<[Record<string, string>, says: string]>([
  [{ ...torchrun, WORLD_SIZE: '3' }, 'this is rank 3, but there are only 3'],
  [{ ...torchrun, RANK: 'x' }, 'RANK is "x", which is no whole number'],
  [{ ...torchrun, WORLD_SIZE: '' }, 'RANK is set, but WORLD_SIZE is not'],
  [{ ...torchrun, LOCAL_RANK: '2' }, 'local rank 2, but this host has only 2'],
  [{ ...torchrun, LOCAL_WORLD_SIZE: '9' }, 'this host has 9 ranks of 4 in all'],
  [{ ...mpirun, RANK: '0', WORLD_SIZE: '4' }, 'torchrun says that this is rank 0, but OMPI_COMM_WORLD_RANK is 1'],
  [{ OMPI_COMM_WORLD_RANK: '0' }, 'OMPI_COMM_WORLD_RANK is set, but OMPI_COMM_WORLD_SIZE is not'],
  [{ ...mpirun, PMIX_RANK: '0' }, 'openmpi says that this is rank 1, but PMIX_RANK is 0'],
  [{ ...srun, SLURM_STEP_TASKS_PER_NODE: '8(x3)' }, 'SLURM_STEP_NUM_TASKS is 16, but the nodes have 8(x3) = 24'],
  [{ ...srun, SLURM_STEP_NODELIST: 'node[' }, 'is no list of hosts'],
  [{ ...srun, SLURM_STEP_TASKS_PER_NODE: '8(x' }, 'is no list of tasks'],
  [{ ...mpirun, OMPI_COMM_WORLD_SIZE: '0' }, 'openmpi started 0 ranks'],
])('%j contradicts itself', (env, says) => {
  expect(() => launchOf(env)).toThrow(expect.objectContaining({ message: expect.stringContaining(says), fault: 2 }));
});

test.each([
  ['node[01-04,07]', ['node01', 'node02', 'node03', 'node04', 'node07']],
  ['a,b[2-3],c', ['a', 'b2', 'b3', 'c']],
  ['r[1-2]n[8-10]x', ['r1n8x', 'r1n9x', 'r1n10x', 'r2n8x', 'r2n9x', 'r2n10x']],
  ['n1', ['n1']],
])('the hosts %s', (list, hosts) => expect(expandHosts(list)).toEqual(hosts));

test.each(['', ',', 'n[1-', 'n]', 'n[a]', 'n[1-999999999]', 'n[1-9999]m[1-9999]', '['.repeat(50), ','.repeat(50_000)])(
  'no hosts: %.40s',
  (list) => expect(() => expandHosts(list)).toThrow(/list of hosts/),
);

test('tasks on nodes', () => {
  expect(expandTasks('8(x2),4')).toEqual([8, 8, 4]);
  expect(() => expandTasks('1(x999999)')).toThrow('more than');
});

test('an interface by name or address, or the names there are', () => {
  expect(addressOf('lo')).toBe('127.0.0.1');
  expect(addressOf('127.0.0.1')).toBe('127.0.0.1');
  expect(addressOf(undefined)).toBeUndefined();
  expect(() => addressOf('ib7')).toThrow('has no interface "ib7"');
});
