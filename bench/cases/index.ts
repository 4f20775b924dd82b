import type { Bench } from '../harness.ts';

/** Every family, loaded only when it is asked for. */
export const BENCHES: Record<string, () => Promise<{ default: Bench }>> = {
  filters: () => import('./filters.ts'),
  minhash: () => import('./minhash.ts'),
  tokenizer: () => import('./tokenizer.ts'),
};
