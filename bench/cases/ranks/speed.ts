import { ALONE } from '../../../trainer/parallel/options.ts';
import { median, type BenchOptions, type Figure } from '../../harness.ts';
import { compareCourses, meshOf } from '../../ranks/compare.ts';
import { fixture, type Course } from '../../ranks/fixture.ts';
import { courseOf, inProcessOf } from '../../ranks/run.ts';

/**
 * Two ranks on two cores with ZeRO-1 against one single-threaded rank over the same batch, beside two independent processes
 * with one thread each: no two ranks can be faster than those are together.
 */
export async function* speed({ quick, say }: BenchOptions): AsyncIterable<Figure> {
  const shape = { layers: 7, width: 320, vocabulary: 4096, length: 128, rows: 8, micro: 4, steps: quick ? 4 : 8 };
  const one = fixture({ ...shape, ...ALONE });
  const two = fixture({ ...shape, mesh: meshOf(2, 1, 1), zero: 1 });
  const half = fixture({ ...shape, ...ALONE, rows: 4 });
  const times = { one: [] as number[], two: [] as number[], ceiling: [] as number[] };
  const step = (course: Course) => median(course.seconds.slice(1));
  for (let round = 0; round < (quick ? 1 : 3); round++) {
    const alone = await inProcessOf(one);
    const shared = await courseOf(two);
    if (!compareCourses(alone, shared).bits) throw new Error('two ranks do not give the bits of one');
    const apart = await Promise.all([inProcessOf(half), inProcessOf(half)]);
    times.one.push(step(alone));
    times.two.push(step(shared));
    times.ceiling.push(Math.max(...apart.map(step)));
    say(`a step: one rank ${ms(times.one)}, two ${ms(times.two)}, two processes apart ${ms(times.ceiling)}`);
  }
  const [a, b, c] = [times.one, times.two, times.ceiling].map(median) as [number, number, number];
  yield {
    bench: 'ranks',
    case: '10 M parameters, 2 ranks on 2 cores, ZeRO-1',
    metric: 'step',
    value: b,
    unit: 's',
    rival: 'one single-threaded rank',
    rivalValue: a,
    ratio: a / b,
    bar: '>= 1.7',
    note: `two independent processes with half a batch each: ${(a / c).toFixed(2)} times one rank`,
  };
}

const ms = (times: readonly number[]): string => `${(1000 * times.at(-1)!).toFixed(0)} ms`;
