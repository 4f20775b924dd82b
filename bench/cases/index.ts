import type { Bench } from '../harness.ts';

/** Every family, loaded only when it is asked for. */
export const BENCHES: Record<string, () => Promise<{ default: Bench }>> = {
  minhash: () => import('./minhash.ts'),
};
