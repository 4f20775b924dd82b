import type { BenchOptions } from '../../harness.ts';
import { policyBench } from './policy.ts';
import { grpoParams } from './run.ts';

/** GRPO with the rates that reference runs of this size were best at. */
export const grpo = (options: BenchOptions) =>
  policyBench(
    'grpo',
    (over) => ({ stage: 'grpo', params: grpoParams({ learning_rate: { peak: 1e-4 }, ...over }) }),
    options,
  );
