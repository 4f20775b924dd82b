/** A loss [nats, unless said otherwise] and its derivative by the one number that it looks at. */
export interface Sloped {
  loss: number;
  slope: number;
}

/** σ(x), exact at both ends. */
export const sigmoid = (x: number): number => (x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x)));

/** −ln σ(x), exact at both ends. */
export const minusLogSigmoid = (x: number): number => Math.max(-x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

/**
 * Bradley–Terry: −ln σ(r_w − r_l − margin) + centre · (r_w + r_l)². Scores of the chosen and the rejected answer → loss and its
 * derivative by both. Source: Ouyang et al. 2022, arXiv:2203.02155; the margin Touvron et al. 2023, arXiv:2307.09288.
 */
export function bradleyTerry(
  chosen: number,
  rejected: number,
  { margin = 0, centre = 0 }: { margin?: number; centre?: number } = {},
): { loss: number; chosen: number; rejected: number } {
  const apart = chosen - rejected - margin;
  const middle = chosen + rejected;
  const slope = -sigmoid(-apart);
  return {
    loss: minusLogSigmoid(apart) + centre * middle ** 2,
    chosen: slope + 2 * centre * middle,
    rejected: -slope + 2 * centre * middle,
  };
}

/**
 * DPO of h = ln π/π_ref (chosen) − ln π/π_ref (rejected), sums over the answers: −(1 − ε) ln σ(βh) − ε ln σ(−βh); ln 2 at h = 0.
 * `smoothing` ε is the share of labels that are believed wrong. Source: Rafailov et al. 2023, arXiv:2305.18290.
 */
export function dpo(h: number, beta: number, smoothing = 0): Sloped {
  const x = beta * h;
  return {
    loss: (1 - smoothing) * minusLogSigmoid(x) + smoothing * minusLogSigmoid(-x),
    slope: beta * (smoothing * sigmoid(x) - (1 - smoothing) * sigmoid(-x)),
  };
}

/**
 * IPO of h, here of means over the tokens of each answer: (h − 1/(2β))²; 1/(4β²) at h = 0. Source: Azar et al. 2023,
 * arXiv:2310.12036; the means as in TRL.
 */
export function ipo(h: number, beta: number): Sloped {
  const away = h - 1 / (2 * beta);
  return { loss: away ** 2, slope: 2 * away };
}

/**
 * KTO of Δ = ln π/π_ref of one answer: 1 − σ(β(Δ − z)) where it is good, else 1 − σ(β(z − Δ)), times its weight; ½ at Δ = z = 0.
 * No gradient goes through z. Source: Ethayarajh et al. 2024, arXiv:2402.01306.
 */
export function kto(delta: number, z: number, good: boolean, beta: number, weight = 1): Sloped {
  const sign = good ? 1 : -1;
  const p = sigmoid(beta * sign * (delta - z));
  return { loss: weight * (1 - p), slope: -weight * beta * sign * p * (1 - p) };
}

/** KTO's z: how far the policy has moved, from ln π/π_ref of answers under prompts that are not their own; never below 0. */
export const ktoReference = (deltas: readonly number[]): number =>
  deltas.length === 0 ? 0 : Math.max(0, deltas.reduce((sum, d) => sum + d, 0) / deltas.length);

/**
 * Expected calibration error of probabilities σ(margin) that the chosen answer wins, over `bins` equal bins of confidence from
 * ½ to 1: Σ n/N · |share that was right − mean confidence|. Source: Guo et al. 2017, arXiv:1706.04599.
 */
export function calibrationError(margins: readonly number[], bins = 10): number {
  const found = Array.from({ length: bins }, () => ({ right: 0, confidence: 0 }));
  for (const margin of margins) {
    const confidence = sigmoid(Math.abs(margin));
    const bin = found[Math.min(bins - 1, Math.floor((confidence - 0.5) * 2 * bins))]!;
    bin.right += margin > 0 ? 1 : margin === 0 ? 0.5 : 0;
    bin.confidence += confidence;
  }
  return (
    found.reduce((sum, { right, confidence }) => sum + Math.abs(right - confidence), 0) / Math.max(1, margins.length)
  );
}
