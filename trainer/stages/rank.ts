// The process of a rank other than 0: started by parallel/launch.ts, told what to train, gone when its parent is.
import { GarnerError } from '../../core/errors.ts';
import { enterShared } from '../collectives/shared-memory/collective.ts';
import type { RankFailure, RankOrder } from '../parallel/launch.ts';
import { followTraining, type TrainingOrder } from './ranks.ts';

// Ctrl-C reaches the whole process group; the process that started the ranks decides what happens.
process.on('SIGINT', () => {});
process.on('disconnect', () => process.exit(1));

process.on('message', ({ place, rank, order }: RankOrder<TrainingOrder>) => {
  followTraining(order, () => enterShared(place, rank)).then(
    () => process.exit(0),
    (error: unknown) => {
      const garner =
        error instanceof GarnerError
          ? { what: plain(error), where: error.where, hint: error.hint, fault: error.fault }
          : null;
      const failure: RankFailure = { message: String((error as Error).message ?? error), garner };
      process.send!(failure, () => process.exit(1));
    },
  );
});

/** The message without the place, which stands beside it. */
const plain = ({ message, where }: GarnerError): string => (where ? message.slice(where.length + 2) : message);
