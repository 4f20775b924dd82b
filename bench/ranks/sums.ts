// A rank of the sums that bench/cases/ranks/sums.ts times; rank 0 prints what it has seen as one line of JSON.
import { createRequire } from 'node:module';
import type { World } from '../../trainer/collectives/group.ts';
import { enterMpi } from '../../trainer/collectives/mpi/world.ts';
import type { SharedWorld } from '../../trainer/collectives/shared-memory/memory.ts';
import { enterWorld } from '../../trainer/collectives/shared-memory/world.ts';

export interface SumsOrder {
  /** Null: over MPI. */
  place: SharedWorld | null;
  rank: number;
  floats: number;
  runs: number;
}

export interface SumsSeen {
  /** Of each sum [s]. */
  sums: number[];
  /** Of each copy of as many bytes, with the other ranks asleep [s]; empty over MPI, where they never sleep. */
  copies: number[];
}

const options = { patience: 60, check: false, mailbox: { floats: 16, depth: 2 } };

function serve({ place, rank, floats, runs }: SumsOrder): void {
  const world: World = place ? enterWorld(place, rank, options) : enterMpi(options);
  const { buffer, byteOffset } = world.reserve(4 * floats);
  const x = new Float32Array(buffer as ArrayBuffer, byteOffset, floats);
  x.forEach((_, i) => (x[i] = (i % 1000) + world.rank));
  world.allReduce(x);
  const [n, more] = [world.ranks, (world.ranks * (world.ranks - 1)) / 2];
  if (x.some((sum, i) => sum !== n * (i % 1000) + more)) throw new Error('the sums are wrong');
  x.fill(0);
  const copy = place && world.rank === 0 ? openCopy(4 * floats) : null;
  const seen: SumsSeen = { sums: [], copies: [] };
  for (let run = 0; run < runs; run++) {
    if (copy) seen.copies.push(timed(copy));
    world.barrier();
    seen.sums.push(timed(() => world.allReduce(x)));
    world.barrier();
  }
  world.close();
  if (world.rank === 0) process.stdout.write(`${JSON.stringify(seen)}\n`);
}

function timed(action: () => void): number {
  const began = performance.now();
  action();
  return (performance.now() - began) / 1000;
}

/** The C library's memcpy between two arrays that both lie in memory already. */
function openCopy(bytes: number): () => void {
  const koffi = createRequire(import.meta.url)('koffi') as {
    load(path: null): { func(prototype: string): (to: Uint8Array, from: Uint8Array, bytes: number) => void };
  };
  const memcpy = koffi.load(null).func('void *memcpy(void *to, const void *from, size_t bytes)');
  const [from, to] = [new Uint8Array(bytes).fill(1), new Uint8Array(bytes).fill(2)];
  return () => memcpy(to, from, bytes);
}

serve(JSON.parse(process.argv[2]!) as SumsOrder);
