import type { Bench } from '../harness.ts';

/** Every family, loaded only when it is asked for. */
export const BENCHES: Record<string, () => Promise<{ default: Bench }>> = {
  quickstart: () => import('./quickstart.ts'),
  extraction: () => import('./extraction.ts'),
  filters: () => import('./filters.ts'),
  minhash: () => import('./minhash.ts'),
  tokenizer: () => import('./tokenizer.ts'),
  sgemm: () => import('./sgemm.ts'),
  step: () => import('./step.ts'),
  sampler: () => import('./sampler.ts'),
  plan: () => import('./plan.ts'),
  simulate: () => import('./simulate.ts'),
  ranks: () => import('./ranks.ts'),
  align: () => import('./align.ts'),
};
