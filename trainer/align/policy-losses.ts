import type { Sloped } from './preference-losses.ts';

/** The same, and whether clipping has taken the gradient away. */
export interface Clipped extends Sloped {
  clipped: boolean;
}

/** How far a ratio may move from 1 before its gradient stops: below and above. */
export interface ClipRange {
  low: number;
  high: number;
}

/**
 * PPO's loss of one token: max(−ρA, −A · clip(ρ, 1 − low, 1 + high)), ρ = exp(ln π − ln π_old); the slope is by ln π.
 * Source: Schulman et al. 2017, arXiv:1707.06347; unequal ends Yu et al. 2025, arXiv:2503.14476.
 */
export function ppoPolicy(logp: number, old: number, advantage: number, { low, high }: ClipRange): Clipped {
  const ratio = Math.exp(logp - old);
  const plain = -ratio * advantage;
  const held = -Math.min(Math.max(ratio, 1 - low), 1 + high) * advantage;
  return held > plain ? { loss: held, slope: 0, clipped: true } : { loss: plain, slope: plain, clipped: false };
}

/**
 * PPO's loss of one value: ½ max((V − R)², (clip(V, V_old ± range) − R)²); the slope is by V.
 * Source: Schulman et al. 2016, arXiv:1506.02438, as in TRL.
 */
export function ppoValue(value: number, old: number, aim: number, range: number): Clipped {
  const held = Math.min(Math.max(value, old - range), old + range);
  const [plain, other] = [(value - aim) ** 2 / 2, (held - aim) ** 2 / 2];
  return other > plain
    ? { loss: other, slope: held === value ? value - aim : 0, clipped: held !== value }
    : { loss: plain, slope: value - aim, clipped: false };
}

/**
 * Generalised advantage estimation over one answer: δ_t = r_t + γV_{t+1} − V_t, A_t = δ_t + γλA_{t+1}, aim A + V; the value after
 * the last token is 0. Source: Schulman et al. 2016, arXiv:1506.02438.
 */
export function advantagesOf(
  rewards: readonly number[],
  values: readonly number[],
  { gamma, lambda }: { gamma: number; lambda: number },
): { advantages: number[]; aims: number[] } {
  const advantages = rewards.map(() => 0);
  for (let t = rewards.length - 1, next = 0; t >= 0; t--) {
    const delta = rewards[t]! + gamma * (values[t + 1] ?? 0) - values[t]!;
    next = delta + gamma * lambda * next;
    advantages[t] = next;
  }
  return { advantages, aims: advantages.map((a, t) => a + values[t]!) };
}

/** Mean 0 and variance 1 over a whole batch: (A − mean) / √(var + 1e-8). */
export function whitened(values: readonly number[]): number[] {
  const mean = meanOf(values);
  const variance = meanOf(values.map((v) => (v - mean) ** 2));
  return values.map((v) => (v - mean) / Math.sqrt(variance + 1e-8));
}

/**
 * Advantages of the answers to one prompt: r − mean, divided by their deviation (n − 1) + 1e-4 where `scaled`. `varied`: whether
 * there is anything to learn from. Source: Shao et al. 2024, arXiv:2402.03300; not scaled: Liu et al. 2025, arXiv:2503.20783.
 */
export function groupAdvantages(
  rewards: readonly number[],
  scaled: boolean,
): { advantages: number[]; varied: boolean } {
  const mean = meanOf(rewards);
  const squares = rewards.reduce((sum, r) => sum + (r - mean) ** 2, 0);
  const deviation = Math.sqrt(squares / Math.max(1, rewards.length - 1));
  return { advantages: rewards.map((r) => (r - mean) / (scaled ? deviation + 1e-4 : 1)), varied: squares > 0 };
}

/** Two estimates of KL(π ‖ π_ref) from a token of π: ln π − ln π_ref, and one that is never below 0. Source: Schulman 2020, joschu.net/blog/kl-approx.html. */
export const k1 = (logp: number, reference: number): number => logp - reference;
export const k3 = (logp: number, reference: number): number => Math.expm1(reference - logp) - (reference - logp);

/**
 * GRPO's loss of one token: PPO's, plus β · k3(π ‖ π_ref); the slope is by ln π. `reference` is null where β is 0.
 * Source: Shao et al. 2024, arXiv:2402.03300.
 */
export function grpo(
  logp: number,
  old: number,
  advantage: number,
  clip: ClipRange,
  { beta, reference }: { beta: number; reference: number | null },
): Clipped {
  const policy = ppoPolicy(logp, old, advantage, clip);
  if (beta === 0 || reference === null) return policy;
  return {
    ...policy,
    loss: policy.loss + beta * k3(logp, reference),
    slope: policy.slope - beta * Math.expm1(reference - logp),
  };
}

const meanOf = (values: readonly number[]): number =>
  values.reduce((sum, v) => sum + v, 0) / Math.max(1, values.length);
