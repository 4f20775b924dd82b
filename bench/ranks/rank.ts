// A rank of a fixture: started by bench/ranks/run.ts.
import { writeFileSync } from 'node:fs';
import { enterWorld } from '../../trainer/collectives/shared-memory/world.ts';
import { serveRank } from '../../trainer/parallel/launch/child.ts';
import { runFixture } from './fixture.ts';
import type { FixtureOrder } from './run.ts';

serveRank<FixtureOrder>(async ({ rank, fds, order }) => {
  const place = { ...order.place, inherited: fds[0]! };
  const world = enterWorld(place, rank, { patience: 60 });
  const course = await runFixture(order.fixture, world);
  if (rank === 0) writeFileSync(order.out, JSON.stringify(course));
  world.close();
});
