// A rank of the tests: it enters the home that its order names, does its part and says how that went, as one line of JSON.
import { alone } from '../../../trainer/collectives/alone.ts';
import type { World } from '../../../trainer/collectives/group.ts';
import { enterMpi } from '../../../trainer/collectives/mpi/world.ts';
import type { SharedWorld } from '../../../trainer/collectives/shared-memory/memory.ts';
import { enterWorld } from '../../../trainer/collectives/shared-memory/world.ts';
import { conform } from './conformance.ts';
import { PARTS } from './parts.ts';

export interface Order {
  home: 'alone' | 'shared' | 'mpi';
  /** `conform`, or a name of parts.ts. */
  part: string;
  place?: SharedWorld;
  rank?: number;
  /** A rank that ends before it enters. */
  absent?: number;
  patience?: number;
  check?: boolean;
  /** Elements that MPI sums at once. */
  piece?: number;
  recorder?: string;
}

const order = JSON.parse(process.argv[2]!) as Order;

if (order.rank !== undefined && order.absent === order.rank) process.exit(3);

function enter(): World {
  const options = { patience: order.patience ?? 30, check: order.check ?? true, mailbox: { floats: 2000, depth: 4 } };
  const recorder = order.recorder === undefined ? {} : { recorder: order.recorder };
  if (order.home === 'alone') return alone();
  if (order.home === 'mpi') return enterMpi({ ...options, ...recorder }, order.piece);
  return enterWorld(order.place!, order.rank!, { ...options, ...recorder });
}

let answer: object;
try {
  const world = enter();
  const result = order.part === 'conform' ? conform(world) : await PARTS[order.part]!(world);
  world.close();
  answer = { result };
} catch (error) {
  answer = { error: String(error), rank: (error as { rank?: number }).rank };
}
// Under MPI a rank that ends without leaving ends the others, whom its launcher then still hears.
process.stdout.write(`${JSON.stringify(answer)}\n`, () => {
  if (order.home === 'mpi' && 'error' in answer) setTimeout(() => process.exit(1), 500);
});
