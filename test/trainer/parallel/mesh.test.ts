import { describe, expect, test } from 'vitest';
import { compareCourses, VARIANTS } from '../../../bench/ranks/compare.ts';
import { fixture } from '../../../bench/ranks/fixture.ts';
import { courseOf } from '../../../bench/ranks/run.ts';
import { findCompiler } from '../../../core/native/compile.ts';
import type { GarnerError } from '../../../core/errors.ts';
import { configOfDepth } from '../../../trainer/model/config.ts';
import { describeMesh, groupsAlong, parseMesh, placeOf, rankAt, ranksOf } from '../../../trainer/parallel/mesh.ts';
import { ALONE, checkParallel, type ParallelOptions } from '../../../trainer/parallel/options.ts';
import { plantFault, FAULTS } from './faults.ts';

const noCompiler = findCompiler() === null;
if (noCompiler) console.warn('skipped: no C compiler, so ranks cannot share memory');

test('the places of ranks in a mesh, and its groups', () => {
  const mesh = parseMesh('data=2, tensor=3,pipeline=4');
  expect(ranksOf(mesh)).toBe(24);
  for (let rank = 0; rank < 24; rank++) expect(rankAt(placeOf(rank, mesh), mesh)).toBe(rank);
  expect(groupsAlong('tensor', mesh)[0]).toEqual([0, 1, 2]);
  expect(groupsAlong('data', mesh)[0]).toEqual([0, 3]);
  expect(groupsAlong('pipeline', mesh)[1]).toEqual([1, 7, 13, 19]);
  expect(describeMesh(mesh)).toBe('data 2 × tensor 3 × pipeline 4');
  expect(describeMesh(ALONE.mesh)).toBe('one rank');
  for (const wrong of ['', 'data', 'data=0', 'data=2,data=3', 'depth=2', 'data=2;tensor=2', 'toString=2'])
    expect(() => parseMesh(wrong), wrong).toThrow(/^--mesh: /);
});

const config = configOfDepth(6, { vocabulary: 100, context: 32, width: 48, heads: 6, keyValueHeads: 3, headSize: 8 });
const broken: [Partial<ParallelOptions>, string][] = [
  [{ mesh: { data: 1, tensor: 1, pipeline: 4 } }, '6 layers = pipeline 4 × chunks 1 × 1.50'],
  [{ mesh: { data: 1, tensor: 4, pipeline: 1 } }, '6 heads over 4 ranks leave 2: heads = tensor × 1.50'],
  [{ mesh: { data: 1, tensor: 2, pipeline: 1 } }, '3 key/value heads and 2 ranks: neither divides the other'],
  [{ mesh: { data: 3, tensor: 1, pipeline: 1 } }, 'a batch of 16 = data 3 × micro_batch 2 × 2.67'],
  [{ chunks: 2 }, '2 chunks on a pipeline of 1 rank'],
  [{ mesh: { data: 1, tensor: 1, pipeline: 3 }, chunks: 2 }, 'micro-batches = rounds × stages, but 8 ≠ 2.67 × 3'],
];
test.each(broken)('%j is refused with both sides of the equation', (over, message) => {
  try {
    checkParallel(config, { ...ALONE, ...over }, { batch: 16, micro: 2, sequence: 32 });
    expect.unreachable();
  } catch (error) {
    expect((error as GarnerError).message).toContain(message);
    expect((error as GarnerError).fault).toBe(2);
  }
});

describe.skipIf(noCompiler)('a training of 12 steps', { timeout: 180_000 }, () => {
  test.each(VARIANTS.map((variant) => [variant.name, variant] as const))(
    'on %s is that of one rank',
    async (_, { options, exact }) => {
      const one = await courseOf(fixture({ ...options, ...ALONE, steps: 12 }));
      const course = await courseOf(fixture({ ...options, steps: 12 }));
      const { loss, norm, bits } = compareCourses(one, course);
      if (exact) expect(bits).toBe(true);
      expect(loss).toBeLessThan(1e-5);
      expect(norm).toBeLessThan(1e-6);
      expect(one.losses.at(-1)!).toBeLessThan(0.9 * one.losses[0]!);
    },
  );
});

describe.skipIf(noCompiler)('losses that weigh what the model says', { timeout: 180_000 }, () => {
  const meshes: [string, Partial<ParallelOptions>, boolean][] = [
    ['2 data ranks', { mesh: { data: 2, tensor: 1, pipeline: 1 } }, true],
    ['2 data ranks, ZeRO-2', { mesh: { data: 2, tensor: 1, pipeline: 1 }, zero: 2 }, true],
    ['2 tensor ranks', { mesh: { data: 1, tensor: 2, pipeline: 1 } }, false],
    ['2 × 2 ranks, rows shared, ZeRO-1', { mesh: { data: 2, tensor: 2, pipeline: 1 }, sequence: true, zero: 1 }, false],
  ];
  for (const weighed of ['tokens', 'score'] as const)
    test.each(meshes)(`${weighed} on %s are those of one rank`, async (_, options, exact) => {
      const small = { layers: 2, steps: 10, weighed };
      const one = await courseOf(fixture({ ...ALONE, ...small }));
      const course = await courseOf(fixture({ ...options, ...small }));
      const { loss, norm, bits } = compareCourses(one, course);
      if (exact) expect(bits).toBe(true);
      expect(loss).toBeLessThan(1e-5);
      expect(norm).toBeLessThan(1e-5);
      expect(one.losses.at(-1)!).toBeLessThan(0.9 * one.losses[0]!);
    });

  test('a pipeline is refused in one sentence', async () => {
    const stages = fixture({ mesh: { data: 1, tensor: 1, pipeline: 2 }, layers: 2, steps: 1, weighed: 'tokens' });
    await expect(courseOf(stages)).rejects.toThrow('do not run on a pipeline of 2 ranks');
  });
});

describe.skipIf(noCompiler)('a planted fault breaks it', { timeout: 180_000 }, () => {
  test.each(FAULTS.map((fault) => [fault.name, fault] as const))('%s', async (_, fault) => {
    const planted = plantFault(fault);
    try {
      const one = await courseOf(fixture({ ...fault.options, ...ALONE, steps: 12 }));
      const course = await courseOf(fixture({ ...fault.options, steps: 12 }), { module: planted.module });
      expect(compareCourses(one, course).loss).toBeGreaterThan(1e-5);
    } finally {
      planted.remove();
    }
  });
});
