import { createRequire } from 'node:module';
import { GarnerError } from '../../../core/errors.ts';

/** Names under which the library is installed: Open MPI 4 and 5, MPICH, whatever a cluster calls its own. */
const NAMES = ['libmpi.so.40', 'libmpi.so', 'libmpi.so.12', 'libmpich.so.12'];

type Pointer = bigint | ArrayBufferView | null;
type Handle = bigint | number;
type Answer = (...args: (Pointer | number | bigint)[]) => number;

/** What the two families of MPI do differently. */
export interface Mpi {
  family: 'Open MPI' | 'MPICH';
  world: Handle;
  types: { f32: Handle; f64: Handle };
  /** MPI_IN_PLACE. */
  inPlace: bigint;
  /** MPI_STATUS_IGNORE. */
  ignore: bigint;
  /** Room for a handle that a call returns, and its value. */
  room(): BigInt64Array | Int32Array;
  call: Record<(typeof FUNCTIONS)[number][0], Answer>;
  /** Gives the core to whom else wants it. */
  yield(): void;
}

/** Name and arguments: p a pointer, i an int, h a handle. */
const FUNCTIONS = [
  ['MPI_Init_thread', 'ppip'],
  ['MPI_Initialized', 'p'],
  ['MPI_Finalize', ''],
  ['MPI_Abort', 'hi'],
  ['MPI_Comm_rank', 'hp'],
  ['MPI_Comm_size', 'hp'],
  ['MPI_Comm_split', 'hiip'],
  ['MPI_Test', 'ppp'],
  ['MPI_Ibarrier', 'hp'],
  ['MPI_Ibcast', 'pihihp'],
  ['MPI_Iallgather', 'pihpihhp'],
  ['MPI_Iallgatherv', 'pihppphhp'],
  ['MPI_Ialltoallv', 'ppphppphhp'],
  ['MPI_Isend', 'pihiihp'],
  ['MPI_Irecv', 'pihiihp'],
  ['MPI_Recv', 'pihiihp'],
  ['MPI_Iprobe', 'iihpp'],
  ['MPI_Get_count', 'php'],
] as const;

interface Koffi {
  load(path: string | null): {
    func(name: string, returns: string, args: string[]): (...args: unknown[]) => number;
    symbol(name: string, type: string): bigint;
  };
}

let opened: Mpi | undefined;

/** Opens the machine's MPI library, without a compiler or glue. Throws a GarnerError where there is none. */
export function openLibrary(): Mpi {
  return (opened ??= load());
}

function load(): Mpi {
  const koffi = createRequire(import.meta.url)('koffi') as Koffi;
  let lib: ReturnType<Koffi['load']> | undefined;
  for (const name of NAMES) {
    try {
      lib = koffi.load(name);
      break;
    } catch {
      // The next name.
    }
  }
  if (!lib)
    throw new GarnerError({
      what: `this machine has no MPI library (${NAMES.join(', ')})`,
      hint: 'install Open MPI (Debian: openmpi-bin), or load the cluster’s module; on one host garner needs none',
      fault: 2,
    });
  const library = lib;
  const family = constants(library);
  const kinds: Record<string, string> = { p: 'void *', i: 'int', h: family.family === 'MPICH' ? 'int' : 'void *' };
  const call = Object.fromEntries(
    FUNCTIONS.map(([name, args]) => [
      name,
      library.func(
        name,
        'int',
        [...args].map((kind) => kinds[kind]!),
      ),
    ]),
  ) as Mpi['call'];
  const giveWay = koffi.load(null).func('sched_yield', 'int', []);
  return { ...family, call, yield: () => void giveWay() };
}

/** Handles are addresses of globals in Open MPI and numbers in MPICH (read from its header; that family was not run). */
function constants(library: ReturnType<Koffi['load']>): Omit<Mpi, 'call' | 'yield'> {
  const at = (name: string) => library.symbol(name, 'void');
  try {
    return {
      family: 'Open MPI',
      world: at('ompi_mpi_comm_world'),
      types: { f32: at('ompi_mpi_float'), f64: at('ompi_mpi_double') },
      inPlace: 1n,
      ignore: 0n,
      room: () => new BigInt64Array(1),
    };
  } catch {
    return {
      family: 'MPICH',
      world: 0x44000000,
      types: { f32: 0x4c00040a, f64: 0x4c00080b },
      inPlace: -1n,
      ignore: 1n,
      room: () => new Int32Array(1),
    };
  }
}
