import { GarnerError } from '../../../core/errors.ts';
import type { World, WorldOptions } from '../group.ts';
import { alignedMemory } from '../memory.ts';
import { createRecorder, openRecorder } from '../recorder/record.ts';
import type { OpenMpi } from './exchange.ts';
import { openMpiGroup } from './group.ts';
import { openLibrary } from './library.ts';

/** MPI_THREAD_MULTIPLE. */
const MULTIPLE = 3;
/** Elements that are summed at once: bounds the memory beside the numbers to 64 MB of floats. */
const PIECE = 2 ** 24;

type Environment = Readonly<Record<string, string | undefined>>;

/** One sentence where MPI_Init would abort the process: srun without a bridge to MPI. */
export function checkLauncher(env: Environment): void {
  const launched = ['PMIX_RANK', 'OMPI_COMM_WORLD_RANK', 'PMI_RANK'].some((name) => env[name] !== undefined);
  if (env['SLURM_PROCID'] !== undefined && !launched)
    throw new GarnerError({
      what: 'srun has started the ranks without PMIx, so that MPI cannot connect them',
      hint: 'start them with "srun --mpi=pmix", or with mpirun inside the allocation',
      fault: 2,
    });
}

/**
 * Enters the world of MPI, once a process; any launcher of MPI starts the ranks. A rank that ends without `close` ends all
 * the others with it. `piece`: elements that are summed at once. Throws a GarnerError where MPI is not there or has not
 * connected the ranks.
 */
export function enterMpi(options: WorldOptions, piece: number = PIECE): World {
  const env = { ...process.env };
  checkLauncher(env);
  const mpi = openLibrary();
  const { call } = mpi;
  const [flag, rank, ranks] = [new Int32Array(1), new Int32Array(1), new Int32Array(1)];
  call.MPI_Initialized(flag);
  if (flag[0]) throw new Error('the world of MPI can be entered once a process');
  if (call.MPI_Init_thread(null, null, MULTIPLE, flag) !== 0)
    throw new GarnerError({ what: 'MPI_Init_thread failed', hint: 'its own words stand above' });
  call.MPI_Comm_rank(mpi.world, rank);
  call.MPI_Comm_size(mpi.world, ranks);
  const [me, n] = [rank[0]!, ranks[0]!];
  let open = true;
  // Without MPI_Finalize some launchers wait for ever.
  const onExit = (code: number) => void (open && n > 1 && call.MPI_Abort(mpi.world, code || 1));
  process.once('exit', onExit);
  const tasks = env['OMPI_COMM_WORLD_SIZE'] === undefined ? env['SLURM_NTASKS'] : undefined;
  if (env['SLURM_PROCID'] !== undefined && tasks !== undefined && Number(tasks) !== n)
    throw new GarnerError({
      what: `MPI has connected ${n} ranks, and Slurm has started ${tasks}`,
      hint: 'start them with "srun --mpi=pmix", or with mpirun inside the allocation',
      fault: 2,
    });
  const world: OpenMpi = {
    mpi,
    rank: me,
    patience: options.patience,
    check: options.check,
    mailbox: options.mailbox,
    piece: Math.min(piece, Math.floor(2 ** 30 / n)),
    recorder: null,
    isOpen: () => open,
    waited: 0,
    notices: [],
  };
  const members = Array.from({ length: n }, (_, r) => r);
  const group = openMpiGroup(world, { handle: mpi.world, me, members }, 0);
  if (options.recorder !== undefined) {
    if (me === 0) createRecorder(options.recorder, n);
    group.barrier();
    world.recorder = openRecorder(options.recorder, me);
  }
  let reserved = false;
  let noted = 0;
  return {
    ...group,
    home: 'mpi',
    reserve(bytes) {
      if (reserved) throw new Error('memory is reserved once a process');
      reserved = true;
      return alignedMemory(bytes, me);
    },
    waited: () => world.waited,
    note(step, seconds) {
      const before = noted;
      noted = world.waited;
      world.recorder?.note(step, seconds, noted - before);
    },
    // The others end when this process does, so that its own last words are heard.
    abort() {},
    close() {
      if (!open) return;
      open = false;
      process.off('exit', onExit);
      world.recorder?.close();
      call.MPI_Finalize();
    },
  };
}
