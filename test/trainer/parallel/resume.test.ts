import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { compareCourses, meshOf, type FixtureOptions } from '../../../bench/ranks/compare.ts';
import { fixture, type Course } from '../../../bench/ranks/fixture.ts';
import { courseOf } from '../../../bench/ranks/run.ts';
import { findCompiler } from '../../../core/native/compile.ts';

const noCompiler = findCompiler() === null;
if (noCompiler) console.warn('skipped: no C compiler, so ranks cannot share memory');

let folder = '';
let alone: Course;
const [AT, STEPS] = [6, 12];
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'garner-resume-'));
  alone = await courseOf(fixture({ steps: STEPS, save: { folder: join(folder, 'alone'), at: AT } }));
});
afterAll(() => rmSync(folder, { recursive: true }));

const checkpoint = (name: string) => join(folder, name, `step-${String(AT).padStart(8, '0')}`);
const digest = (name: string, file: string) =>
  createHash('sha256')
    .update(readFileSync(join(checkpoint(name), file)))
    .digest('hex');
const rest = ({ losses, norms }: Course): Course => ({ losses: losses.slice(AT), norms: norms.slice(AT), seconds: [] });

const MESHES: [string, FixtureOptions, boolean][] = [
  ['4 data ranks, ZeRO-2', { mesh: meshOf(4, 1, 1), zero: 2 }, true],
  ['2 × 2 stages of 2 chunks, ZeRO-1', { mesh: meshOf(2, 1, 2), chunks: 2, zero: 1 }, true],
  ['2 × 2 tensor ranks, rows shared', { mesh: meshOf(2, 2, 1), sequence: true }, false],
  ['2 × 2 × 2, ZeRO-2', { mesh: meshOf(2, 2, 2), zero: 2 }, false],
];

describe.skipIf(noCompiler)('a checkpoint holds whole tensors', { timeout: 180_000 }, () => {
  test.each(MESHES)(
    'saved on %s, it is that of one rank, and one rank goes on from it',
    async (name, options, exact) => {
      await courseOf(fixture({ ...options, steps: AT, save: { folder: join(folder, name), at: AT } }));
      for (const file of ['model.safetensors', 'optimizer.safetensors'])
        if (exact) expect(digest(name, file), file).toBe(digest('alone', file));
      const course = await courseOf(fixture({ steps: STEPS, from: checkpoint(name) }));
      const { loss, bits } = compareCourses(rest(alone), course);
      if (exact) expect(bits).toBe(true);
      expect(loss).toBeLessThan(1e-5);
    },
  );

  test.each(MESHES)('saved on one rank, %s goes on from it', async (_, options, exact) => {
    const course = await courseOf(fixture({ ...options, steps: STEPS, from: checkpoint('alone') }));
    const { loss, bits } = compareCourses(rest(alone), course);
    if (exact) expect(bits).toBe(true);
    expect(loss).toBeLessThan(1e-5);
  });
});
