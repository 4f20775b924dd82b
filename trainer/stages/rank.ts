// The process of a rank: started by parallel/launch, told what to train, gone when the launcher is.
import { enterWorld } from '../collectives/shared-memory/world.ts';
import { serveRank } from '../parallel/launch/child.ts';
import { launchSettings } from '../parallel/launch/settings.ts';
import { recorderOf, trainInRank, type SharedOrder } from './ranks.ts';

serveRank<SharedOrder>(({ rank, fds, order }, reports) => {
  const { patience } = launchSettings();
  const enter = () =>
    enterWorld({ ...order.world, inherited: fds[0]! }, rank, { patience, recorder: recorderOf(order.place) });
  return trainInRank(order, enter, reports);
});
