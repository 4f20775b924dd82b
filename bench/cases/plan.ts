import { comparedMeshes, comparedRuns, medianGuess } from '../../cli/plan-published.ts';
import { defineBench } from '../harness.ts';

const BARS = { time: 0.05, money: 0.15, 'CO₂': 0.05 } as const;

/** Published runs against `garner plan`: the ratio with the published speed has the bar; the one with its own guess has none. */
export default defineBench({
  name: 'plan',
  limit: 'published figures are rounded, and a step’s speed is not a whole run’s',
  async *run() {
    const runs = await comparedRuns();
    for (const { row, of, computed, ratio, guessed, guessedRatio, guessedMfu } of runs)
      yield {
        bench: 'plan',
        case: `${of}: ${row.run}`,
        metric: 'error',
        value: Math.abs(ratio - 1),
        unit: `of ${row.outcome} ${row.unit}`,
        bar: `<= ${BARS[of]}`,
        note: `${Number(computed.toPrecision(4))}; by its own MFU of ${guessedMfu.toFixed(2)} ${Number(guessed.toPrecision(4))} (× ${guessedRatio.toFixed(2)})`,
      };
    yield {
      bench: 'plan',
      case: 'own MFU, all times',
      metric: 'median error',
      value: medianGuess(runs),
      unit: 'of the published',
    };
    for (const { row, plan } of await comparedMeshes())
      yield {
        bench: 'plan',
        case: `memory: ${row.run}`,
        metric: row.fits ? 'fits' : 'does not fit',
        value: plan.fits === row.fits ? 1 : 0,
        unit: '(1 is right)',
        bar: '== 1',
        note: `${(plan.memoryPerGpu.total / 1e9).toFixed(1)} GB${row.gigabytes === null ? '' : `, other sums ${row.gigabytes}`}`,
      };
  },
});
