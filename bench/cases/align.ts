import { defineBench, type BenchOptions, type Figure } from '../harness.ts';
import { finetune } from './align/finetune.ts';
import { grpo } from './align/grpo.ts';
import { ppo } from './align/ppo.ts';

/** Each trains what it measures, from nothing. */
const CASES: readonly ((options: BenchOptions) => AsyncIterable<Figure>)[] = [finetune, grpo, ppo];

export default defineBench({
  name: 'align',
  limit: 'six FLOP a weight and token, and half as many more with adapters of full rank; what small models can learn',
  async *run(options) {
    for (const run of CASES) yield* run(options);
  },
});
