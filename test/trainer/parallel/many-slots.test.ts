import { expect, test } from 'vitest';
import { alone } from '../../../trainer/collectives/alone.ts';
import type { World } from '../../../trainer/collectives/group.ts';
import { configOfDepth } from '../../../trainer/model/config.ts';
import type { Fill } from '../../../trainer/parallel/learner.ts';
import { openLearner } from '../../../trainer/parallel/open.ts';
import { ALONE } from '../../../trainer/parallel/options.ts';

/** What ranks of a world can add at once. */
const MOST = 65_536;

test('a measurement of more slots than ranks add at once', () => {
  const one = alone();
  const world: World = {
    ...one,
    sum(values) {
      if (values.length > MOST) throw new RangeError(`${values.length} numbers: at most ${MOST}`);
      return one.sum(values);
    },
  };
  const config = configOfDepth(1, { vocabulary: 5, context: 2, width: 4, heads: 1, keyValueHeads: 1, headSize: 4 });
  const learner = openLearner(
    config,
    { batch: 1, sequence: 2, threads: 1, engine: 'cpu', seed: 1, documents: false, parallel: ALONE },
    world,
  );
  const fill: Fill = (slot, into) => {
    into.tokens.fill(slot % 5);
    into.targets.fill(-1).fill(1, 0, 1);
  };
  const slots = MOST / 2 + 5;
  const { lossSum, tokens } = learner.evaluate(slots, fill);
  expect(tokens).toBe(slots);
  const few = learner.evaluate(5, fill);
  expect(lossSum / tokens).toBeCloseTo(few.lossSum / few.tokens, 3);
  learner.close();
});
