import { GarnerError } from '../../../core/errors.ts';
import { loadNative, type Library } from '../../../core/native/load.ts';
import type { Kernel } from '../../ops/define.ts';
import { OP_FOLDERS } from '../../ops/folders.ts';
import type { Engine } from '../engine.ts';

// The layout of Call in kernel.h, in words of 8 bytes.
const SLOTS = 12;
const NUMBERS = 12;
const WORDS = 2 + SLOTS + NUMBERS;
const ALIGNMENT = 64;

/** The CPU engine's library, or null where there is no C compiler. */
function loadKernels(): Library | null {
  return loadNative({
    name: 'trainer',
    sources: [
      'trainer/engines/cpu/pool.c',
      'trainer/engines/cpu/gemm.c',
      ...OP_FOLDERS.map((folder) => `trainer/ops/${folder}/kernel.c`),
    ],
    headers: ['trainer/engines/cpu/kernel.h', 'trainer/engines/cpu/kernels.h'],
    // sqrt may be a vector instruction when nobody asks for errno; nothing else is loosened. nodelete: at the end of a
    // process koffi unloads libraries, and a thread that is awake would lose the code under its feet.
    flags: ['-O3', '-fno-math-errno', ...(process.platform === 'linux' ? ['-Wl,-z,nodelete'] : [])],
    functions: {
      pool_open: { returns: 'i64', arguments: [{ name: 'threads', type: 'i32' }] },
      pool_run: {
        returns: 'void',
        arguments: [
          { name: 'pool', type: 'ptr' },
          { name: 'calls', type: 'ptr' },
          { name: 'length', type: 'i64' },
          { name: 'scratch', type: 'ptr' },
          { name: 'shared', type: 'i64' },
          { name: 'each', type: 'i64' },
        ],
      },
      kernel_number: { returns: 'i32', arguments: [{ name: 'name', type: 'u8*' }] },
      address_of: { returns: 'i64', arguments: [{ name: 'p', type: 'ptr' }] },
    },
  });
}

const teams = new Map<number, bigint>();

/** A team of threads for all engines of that many: their calls never run at one time, and a decoder is opened often. */
function teamOf(threads: number, library: Library): bigint {
  const known = teams.get(threads);
  if (known !== undefined) return known;
  const pool = BigInt(library.call['pool_open']!(threads));
  if (pool === 0n)
    throw new GarnerError({ what: `the system gives no ${threads} threads`, hint: 'ask for fewer with --threads' });
  teams.set(threads, pool);
  return pool;
}

/**
 * C kernels on a team of `threads`: one call from here runs a whole list. Results are the same bits from run to run and
 * for every number of threads. Null where there is no C compiler.
 */
export function openCpu(threads: number): Engine | null {
  const library = loadKernels();
  if (!library) return null;
  const { pool_run, kernel_number, address_of } = library.call as Record<
    'pool_run' | 'kernel_number' | 'address_of',
    Library['call'][string]
  >;
  const pool = teamOf(threads, library);
  const addressOf = (view: ArrayBufferView) => BigInt(address_of(view as Float32Array));

  const allocate = (bytes: number) => {
    const buffer = new ArrayBuffer(bytes + ALIGNMENT);
    const past = Number(addressOf(new Uint8Array(buffer)) % BigInt(ALIGNMENT));
    return { buffer, byteOffset: past === 0 ? 0 : ALIGNMENT - past };
  };

  const numbers = new Map<string, number>();
  const numberOf = (kernel: Kernel): number => {
    let number = numbers.get(kernel.name);
    if (number === undefined) {
      number = Number(kernel_number(new TextEncoder().encode(`${kernel.name}\0`)));
      if (number < 0) throw new Error(`the CPU engine has no kernel ${kernel.name}`);
      numbers.set(kernel.name, number);
    }
    return number;
  };

  let shared = 0;
  let each = 0;
  const working = (bytes: number) => {
    const { buffer, byteOffset } = allocate(bytes);
    return new Uint8Array(buffer, byteOffset, bytes);
  };
  let scratch = working(ALIGNMENT);
  const reserve = (calls: Parameters<Engine['bind']>[0]) => {
    for (const { kernel, numbers: values } of calls) {
      const need = kernel.scratch(values);
      shared = Math.max(shared, roundUp(need.shared ?? 0));
      each = Math.max(each, roundUp(need.each ?? 0));
    }
    const bytes = (shared + threads * each) * 4;
    if (bytes > scratch.length) scratch = working(bytes);
  };

  let open = true;
  return {
    name: 'cpu',
    allocate,
    bind(calls) {
      reserve(calls);
      const list = new BigInt64Array(Math.max(1, calls.length) * WORDS);
      const asDoubles = new Float64Array(list.buffer);
      calls.forEach(({ kernel, views, adds, numbers: values }, i) => {
        if (views.length > SLOTS || values.length > NUMBERS) throw new Error(`${kernel.name}: too many arguments`);
        list[i * WORDS] = BigInt(numberOf(kernel));
        list[i * WORDS + 1] = BigInt(adds);
        views.forEach((view, slot) => (list[i * WORDS + 2 + slot] = addressOf(view)));
        values.forEach((value, n) => (asDoubles[i * WORDS + 2 + SLOTS + n] = value));
      });
      return () => {
        if (!open) throw new Error('the engine is closed');
        // `calls` is named here, so that this function keeps its views alive: the list has addresses only
        pool_run(pool, list, calls.length, scratch, shared, each);
      };
    },
    scratchBytes: () => scratch.length,
    close() {
      open = false;
    },
  };
}

const roundUp = (floats: number): number => Math.ceil(floats / 16) * 16;
