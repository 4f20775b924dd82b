import type { BenchOptions } from '../../harness.ts';
import { policyBench } from './policy.ts';
import { grpoParams } from './run.ts';

/** GRPO as the recipe's defaults have it. */
export const grpo = (options: BenchOptions) =>
  policyBench('grpo', (over) => ({ stage: 'grpo', params: grpoParams(over) }), options);
