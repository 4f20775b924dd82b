import { findGpu } from '../../trainer/plan/gpus.ts';
import type { Schedule, ScheduleShape } from '../../trainer/parallel/schedule.ts';
import { MAILBOX_DEPTH } from '../../trainer/parallel/schedule.ts';
import { findModel } from '../../trainer/plan/models.ts';
import { simulateFailures } from '../../trainer/plan/simulate/failures.ts';
import { simulatePipeline } from '../../trainer/plan/simulate/pipeline.ts';
import { scalingCurve } from '../../trainer/plan/simulate/scaling.ts';
import { defineBench, median, type Figure } from '../harness.ts';
import { layoutOf, PUBLISHED_STEPS, simulateRow } from '../published-steps.ts';

/** Schedules with the makespans of the papers, in units of a forward of a chunk. */
const SCHEDULES: readonly (readonly [Schedule, ScheduleShape, number])[] = [
  ['gpipe', { stages: 4, micro: 8, chunks: 1 }, 33],
  ['1f1b', { stages: 4, micro: 8, chunks: 1 }, 33],
  ['interleaved', { stages: 4, micro: 8, chunks: 2 }, 57],
  ['interleaved', { stages: 4, micro: 8, chunks: 4 }, 105],
  ['interleaved', { stages: 8, micro: 16, chunks: 2 }, 117],
  ['zb-h1', { stages: 4, micro: 8, chunks: 1 }, 27],
  ['zb-h1', { stages: 8, micro: 24, chunks: 1 }, 79],
];

/** Within two points: Llama 3 at T 8,192 and GPT-3's strong scaling. The other rows show how far the same constants reach. */
const barred = ({ group, sequence }: (typeof PUBLISHED_STEPS)[number]) =>
  group === 'GPT-3, strong scaling' || (group === 'Llama 3' && sequence === 8192);

/** Pipeline schedules and whole training steps, simulated, against published figures. */
export default defineBench({
  name: 'simulate',
  limit: 'events: a forward and a backward of each chunk, micro-batch, stage and replica',
  *run() {
    for (const [schedule, shape, makespan] of SCHEDULES) {
      const time = (_: number, { kind }: { kind: string }) => (kind === 'backward' ? 2 : 1);
      const run = simulatePipeline(schedule, shape, { time, depth: MAILBOX_DEPTH });
      yield {
        bench: 'simulate',
        case: `${schedule}, ${shape.stages} stages, ${shape.micro} micro-batches, ${shape.chunks} chunks`,
        metric: 'makespan',
        value: run.makespan,
        unit: 'forwards',
        bar: `== ${makespan}`,
      };
    }
    yield* curve();
    const errors = new Map<string, number[]>();
    for (const row of PUBLISHED_STEPS) {
      const { share } = simulateRow(row);
      errors.set(row.group, [...(errors.get(row.group) ?? []), share - row.published]);
      yield {
        bench: 'simulate',
        case: `${row.group}: ${row.name}`,
        metric: barred(row) ? 'error' : `error of ${row.counts}`,
        value: Math.abs(share - row.published),
        unit: 'points',
        ...(barred(row) ? { bar: '<= 2' } : {}),
        note: `${share.toFixed(1)} %, published ${row.published.toFixed(1)} % ${row.counts}`,
      };
    }
    for (const [group, of] of errors)
      yield { bench: 'simulate', case: group, metric: 'median error', value: median(of), unit: 'points' };
    yield* failures();
  },
});

/** Eight points of Llama 3 405B from 128 to 16,384 GPUs, and the last alone. */
function* curve(): Iterable<Figure> {
  const row = PUBLISHED_STEPS.find(({ name }) => name.startsWith('405B, 16384'))!;
  const one = performance.now();
  simulateRow(row);
  const all = performance.now();
  const points = scalingCurve({ shape: row.shape, gpu: findGpu(row.gpu), layout: layoutOf(row) });
  const end = performance.now();
  const figure = { bench: 'simulate', metric: 'time', unit: 's', bar: '<= 30' };
  yield { ...figure, case: 'a step on 16,384 GPUs', value: (all - one) / 1000 };
  yield { ...figure, case: `a curve of ${points.length} points to 16,384 GPUs`, value: (end - all) / 1000 };
}

/** Llama 3's 54 days. The rate of failures is its own, so that their number tests only the reckoning; the time that is left is not given in. */
function* failures(): Iterable<Figure> {
  const model = findModel('llama3.1-405b');
  const run = { gpus: 16_384, node: 8, parameters: 405e9, seconds: 54 * 86_400 };
  const runs = Array.from({ length: 100 }, (_, seed) => simulateFailures({ ...run, seed }));
  const mean = runs.reduce((sum, { failures: n }) => sum + n, 0) / runs.length;
  const figure = { bench: 'simulate', case: `${model.name}, 54 days on 16,384 GPUs` };
  yield {
    ...figure,
    metric: 'failures from 419',
    value: Math.abs(mean - 419),
    unit: 'failures',
    bar: '<= 8',
    note: `mean of 100 draws ${mean.toFixed(1)}`,
  };
  yield {
    ...figure,
    metric: 'effective time',
    value: 100 * median(runs.map(({ effective }) => effective)),
    unit: '%',
    bar: '>= 90',
    note: `least of 100 draws ${(100 * Math.min(...runs.map(({ effective }) => effective))).toFixed(1)} %`,
  };
}
