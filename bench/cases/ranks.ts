import { defineBench, type BenchOptions, type Figure } from '../harness.ts';
import { kill } from './ranks/kill.ts';
import { meshes } from './ranks/meshes.ts';
import { speed } from './ranks/speed.ts';
import { sums } from './ranks/sums.ts';

/** Each checks what it times, and times on this machine alone. */
const CASES: readonly ((options: BenchOptions) => AsyncIterable<Figure>)[] = [sums, speed, meshes, kill];

export default defineBench({
  name: 'ranks',
  limit:
    'a sum over two ranks reads and writes both payloads once, twice what a copy moves; ranks share cores and memory',
  async *run(options) {
    for (const run of CASES) yield* run(options);
  },
});
