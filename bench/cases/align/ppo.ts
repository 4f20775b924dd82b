import type { BenchOptions } from '../../harness.ts';
import { policyBench } from './policy.ts';
import { ppoParams } from './run.ts';

/** PPO as the recipe's defaults have it. */
export const ppo = (options: BenchOptions) =>
  policyBench('ppo', (over) => ({ stage: 'ppo', params: ppoParams(over) }), options);
