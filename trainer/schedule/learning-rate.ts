/** How the learning rate runs over a training. Rates are per update; times are steps. */
export interface RateSchedule {
  kind: 'cosine' | 'wsd' | 'linear' | 'constant';
  peak: number;
  /** Steps of linear warm-up; 0 for none. */
  warmup: number;
  /** Rate at the end, as a share of the peak. */
  end: number;
  /** WSD only: the last share of all steps, in which the rate falls. */
  decay: number;
  /** All steps of the training. */
  steps: number;
}

/**
 * The rate of update `step` (0-based, below `p.steps`). Pure: a resumed run computes it and stores it nowhere.
 * Warm-up: peak · (step + 1) / warmup. Then, with x from 0 at the first step after it to 1 at the last step:
 * cosine end + (peak − end) · (1 + cos πx) / 2 · linear peak + (end − peak) · x · wsd peak, then from 1 − decay on
 * end + (peak − end) · (1 − √y), y from 0 to 1 · constant peak.
 */
export function learningRateAt(step: number, p: RateSchedule): number {
  const end = p.peak * p.end;
  if (step < p.warmup) return (p.peak * (step + 1)) / p.warmup;
  const x = progress(step, p.warmup, p.steps);
  switch (p.kind) {
    case 'constant':
      return p.peak;
    case 'cosine':
      return end + ((p.peak - end) * (1 + Math.cos(Math.PI * x))) / 2;
    case 'linear':
      return p.peak + (end - p.peak) * x;
    case 'wsd': {
      const from = Math.max(p.warmup, Math.round(p.steps * (1 - p.decay)));
      if (step < from) return p.peak;
      return end + (p.peak - end) * (1 - Math.sqrt(progress(step, from, p.steps)));
    }
  }
}

/** 0 at `from`, 1 at the last step. */
const progress = (step: number, from: number, steps: number): number =>
  steps - 1 <= from ? 1 : Math.min(1, (step - from) / (steps - 1 - from));
