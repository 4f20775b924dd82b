import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TrainingJob } from '../../../trainer/stages/jobs.ts';
import type { BenchOptions, Figure } from '../../harness.ts';
import { sumBase } from './base.ts';
import { align, type Aligned } from './run.ts';

/** Steps of a run, whole and quick. */
const STEPS = { whole: 300, quick: 40 };

/**
 * Two-digit sums from a model that is right in 20 to 40 % of its answers: three seeds, and a control whose rewards are dealt
 * anew over the batch. The checkpoint is chosen on a split of its own; what is told is of pairs that no training has seen.
 */
export async function* policyBench(
  name: string,
  jobOf: (over: object) => TrainingJob,
  { quick, say }: BenchOptions,
): AsyncIterable<Figure> {
  const folder = mkdtempSync(join(tmpdir(), `garner-${name}-`));
  try {
    const base = await sumBase(join(folder, 'base'), { say });
    const steps = quick ? STEPS.quick : STEPS.whole;
    const once = async (seed: number, more: object = {}): Promise<Aligned> =>
      align(join(folder, 'lake'), base, jobOf({ steps, seed, ...more }), (line) => say(`${name} ${seed}: ${line}`));
    for (const seed of quick ? [1] : [1, 2, 3]) yield* figures(name, `seed ${seed}`, await once(seed), base.parameters);
    const { before, after } = await once(1, { shuffle_rewards: true });
    const gain = 100 * (after.sampled - before.sampled);
    const of = { bench: 'align', case: `${name}, a control with shuffled rewards` };
    yield { ...of, metric: 'gain of pass@1', value: gain, unit: 'points', bar: '<= 3' };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function* figures(name: string, which: string, run: Aligned, parameters: number): Iterable<Figure> {
  const { before, after, prompts, chosen, seconds } = run;
  const of = { bench: 'align', case: `${name} on two-digit sums, ${which}` };
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
  yield {
    ...of,
    metric: 'pass@1 at temperature 1, over the base’s',
    value: after.sampled / before.sampled,
    unit: '×',
    bar: '>= 2',
    note: `${percent(before.sampled)} → ${percent(after.sampled)} of ${prompts} prompts × 4, ${parameters} parameters, step ${chosen.after}`,
  };
  yield {
    ...of,
    metric: 'pass@1 greedy, over the base’s',
    value: after.greedy / before.greedy,
    unit: '×',
    bar: '>= 1.4',
    note: `${percent(before.greedy)} → ${percent(after.greedy)}`,
  };
  yield { ...of, metric: 'distance from the base', value: after.kl, unit: 'nats an answer', bar: '<= 2' };
  yield { ...of, metric: 'time of a run', value: seconds, unit: 's', bar: '<= 900' };
}
