import { describeMesh } from '../../../trainer/parallel/mesh.ts';
import { ALONE } from '../../../trainer/parallel/options.ts';
import type { BenchOptions, Figure } from '../../harness.ts';
import { compareCourses, MESHES, VARIANTS, type FixtureOptions } from '../../ranks/compare.ts';
import { fixture, type Course } from '../../ranks/fixture.ts';
import { courseOf } from '../../ranks/run.ts';

/** The fixture of 50 steps on all 19 meshes of 2, 4 and 8 ranks, and every kind of sharing pairwise, against one rank. */
export async function* meshes({ quick, say }: BenchOptions): AsyncIterable<Figure> {
  const steps = quick ? 10 : 50;
  const known = new Map<string, Course>();
  const alone = async (options: FixtureOptions): Promise<Course> => {
    const of = fixture({ ...options, ...ALONE, steps });
    const key = JSON.stringify(of);
    known.set(key, known.get(key) ?? (await courseOf(of)));
    return known.get(key)!;
  };
  const heads = quick ? [8] : [8, 2];
  const cases = [
    ...heads.flatMap((keyValueHeads) =>
      MESHES.map((mesh) => ({
        name: `${describeMesh(mesh)}, ${keyValueHeads} key/value heads`,
        options: { mesh, keyValueHeads },
        exact: mesh.tensor === 1,
      })),
    ),
    ...VARIANTS,
  ];
  const first = await alone({});
  const fall = 1 - first.losses.at(-1)! / first.losses[0]!;
  yield {
    bench: 'ranks',
    case: 'one rank',
    metric: 'fall of the loss',
    value: fall,
    unit: '',
    ...(quick ? {} : { bar: '>= 0.2' }),
  };
  const all = { exact: 0, same: 0 };
  for (const { name, options, exact } of cases) {
    const { loss, norm, bits } = compareCourses(await alone(options), await courseOf(fixture({ ...options, steps })));
    say(`${name}: loss ${loss.toExponential(1)}, norm ${norm.toExponential(1)}${bits ? ', the same bits' : ''}`);
    if (exact) all.exact++;
    if (exact && bits) all.same++;
    const of = { bench: 'ranks', case: name, unit: 'relative' };
    yield { ...of, metric: 'difference of the loss', value: loss, bar: '<= 0.00001' };
    yield { ...of, metric: 'difference of the first norm', value: norm, bar: '<= 0.000001' };
  }
  const { exact, same } = all;
  yield {
    bench: 'ranks',
    case: `of ${exact} meshes without tensor ranks`,
    metric: 'the bits of one rank',
    value: same,
    unit: 'meshes',
    bar: `== ${exact}`,
  };
}
